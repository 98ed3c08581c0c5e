"""Published files to start a model from: a repository on the hub, or a folder laid out like one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.model.card import EncoderCard, FileCard, ModelCard
from napari_cellclip.model.weights.hub import hub_file, verify
from napari_cellclip.model.weights.hub_client import AbsentError, stated_licence
from napari_cellclip.model.weights.hub_notes import pin
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.user_folders import from_home


@dataclass(frozen=True)
class PublishedFiles:
    """Files of a published channel encoder or BERT: a repository on the hub, or a folder laid out like one.

    Attributes
    ----------
    name : str
        Repository or folder, as it was asked for.
    repo, revision : str
        Repository on the hub, and its commit, tag or branch; empty for a folder.
    folder : Path or None
        The folder, for files that are here.
    licence : str
        As the repository's page states it.
    """

    name: str
    repo: str = ""
    revision: str = ""
    folder: Path | None = None
    licence: str = ""

    def as_card(self) -> ModelCard:
        """Make a card to show and accept the licence of the repository by."""
        return ModelCard(
            name=self.name,
            title=self.name,
            licence=self.licence,
            licence_text=f"{self.name} comes from https://huggingface.co/{self.repo}, whose page states its "
            f"licence ({self.licence}): read it there. Nothing of it comes with this program."
            if self.repo
            else "",
            encoder=EncoderCard(kind="vit", name=self.name, dim=1, weights=self._file("model.safetensors")),
            embed_dim=1,
        )

    def first_of(self, *names: str) -> tuple[Path, FileCard]:
        """Path and verified card of the first of these files that there is.

        Raises
        ------
        ModelError
            If there is none of them.
        """
        for name in names:
            if self.folder is not None:
                if (self.folder / name).is_file():
                    return self.folder / name, FileCard(file=name)
                continue
            asked = self._file(name)
            try:
                path, found = hub_file(asked)
            except AbsentError:
                continue
            verified = verify(path, found)
            pin(asked, verified)
            return path, verified
        raise AbsentError(f"{self.name} has no {' or '.join(names)}: name another repository or folder")

    def _file(self, name: str) -> FileCard:
        return FileCard(repo=self.repo, file=name, revision=self.revision)


def published_files(name: str | Path, *, revision: str = "main") -> PublishedFiles:
    """Find what a name means: a folder with the files of a repository, or a repository on the hub.

    The hub is asked for the licence; where it cannot be asked, its page is referred to.

    Raises
    ------
    ModelError
        If it is neither.
    """
    folder = from_home(name)
    if folder.is_dir():
        return PublishedFiles(str(name), folder=folder)
    text = str(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        raise ModelError(
            f"{text!r} is neither a folder nor a repository on the hub, such as facebook/dinov2-small"
        )
    return PublishedFiles(
        text, repo=text, revision=revision, licence=stated_licence(text) or "stated on its page"
    )
