"""Files of models on the Hugging Face hub: licence, fetch, pinned commits and hashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_cellclip.model.card import FileCard, ModelCard
from napari_cellclip.model.encoders.kinds import ENCODER_KINDS
from napari_cellclip.model.weights.hub_client import fetch, stated_by_hub
from napari_cellclip.model.weights.hub_notes import (
    COMMIT,
    SHA256,
    accept,
    is_accepted,
    pin,
    pin_commit,
    pinned,
)
from napari_cellclip.model.weights.weight_files import sha256
from napari_cellclip.vocabulary import ModelError


def hub_files(card: ModelCard) -> tuple[FileCard, ...]:
    """List the files that loading the model takes from the hub; none for one that is whole in its folder."""
    files: list[FileCard] = []
    for file, beside in (
        (card.weights, "config.json"),
        (card.encoder.weights, ENCODER_KINDS[card.encoder.kind].beside),
        (card.tokenizer, "tokenizer_config.json"),
    ):
        if file.repo:
            files.append(file)
            if beside:
                files.append(beside_of(file, beside))
    return tuple(files)


def beside_of(file: FileCard, name: str) -> FileCard:
    """Name another file of the same repository and revision."""
    return FileCard(repo=file.repo, file=name, revision=file.revision)


class LicenceError(ModelError):
    """A model whose licence was not accepted yet."""


def require_licence(card: ModelCard, *, accept_licence: bool = False) -> None:
    """Refuse a model from the hub until its licence was accepted, and remember it when it is.

    Raises
    ------
    LicenceError
        With the files, their sizes, the licence and how to accept it.
    """
    files = hub_files(card)
    if not files or is_accepted(card):
        return
    if accept_licence:
        accept(card)
        return
    listed = ", ".join(
        f"{file.file} of {file.repo}" + (f" ({readable(file.size)})" if file.size else "")
        for file in files
        if file.size or len(files) == 1
    )
    raise LicenceError(
        f"{card.title or card.name} is used under a licence that was not accepted yet. It takes {listed} "
        f"from huggingface.co. Licence: {card.licence}. {card.licence_text} "
        "To accept it and fetch them, pass accept_licence=True (on the command line --accept-licence, in the "
        "window the box under Set-up); files you already have can be given as paths instead (encoder= and "
        "tokenizer=, on the command line --encoder and --tokenizer)"
    )


def hub_file(file: FileCard) -> tuple[Path, FileCard]:
    """Path of a hub file, from the hub's cache on this computer or fetched; its bytes are not compared yet.

    A branch such as ``main`` is looked up once: the commit found is noted in the cache folder, and every
    later call means that commit.

    Parameters
    ----------
    file : FileCard
        Repository, file and revision.

    Returns
    -------
    Path
        In the hub's cache.
    FileCard
        The file with its commit as revision and, where it is known, the hash its bytes must have: that of
        the card, that of the first fetch, or that which the hub stated.

    Raises
    ------
    ModelError
        If the file is not here and cannot be fetched.
    """
    from huggingface_hub import try_to_load_from_cache

    if not file.file or PurePosixPath(file.file).is_absolute() or ".." in re.split(r"[/\\]", file.file):
        raise ModelError(
            f"the model card names {file.file!r} of {file.repo}, which is no file of a repository"
        )
    known = pinned(file)
    cached = try_to_load_from_cache(known.repo, known.file, revision=known.revision or None)
    if isinstance(cached, str):
        path = Path(cached)
        found = known.model_copy(update={"revision": _commit_of(path) or known.revision})
        if not found.sha256 and SHA256.fullmatch(blob := path.resolve().name):
            found = found.model_copy(update={"sha256": blob})  # the cache names blobs by the hub's own hash
        return path, found
    stated = stated_by_hub(known)
    if known.sha256 and stated.sha256 and known.sha256 != stated.sha256:
        raise ModelError(
            f"{file.file} of {file.repo} on the hub is not the file on record (sha256 {stated.sha256[:12]}… "
            f"instead of {known.sha256[:12]}…): name its revision, or get it from elsewhere"
        )
    path = fetch(stated)
    pin(file, stated)
    return path, stated.model_copy(update={"sha256": known.sha256 or stated.sha256})


def verify(path: Path, file: FileCard) -> FileCard:
    """Compare a file with the hash on record, and complete its card by hash and size.

    Raises
    ------
    ModelError
        If they differ, or the file cannot be read.
    """
    try:
        found = sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): get the model again") from error
    if file.sha256 and found != file.sha256:
        raise ModelError(
            f"{path} is not the file its model card describes (sha256 {found[:12]}… instead of "
            f"{file.sha256[:12]}…): get the model again"
        )
    size = {"size": path.stat().st_size} if file.repo else {}
    return file.model_copy(update={"sha256": found, **size})


def choose_revision(file: FileCard, revision: str) -> None:
    """Let a file's repository mean another commit from now on, as if its first fetch had found that one.

    Parameters
    ----------
    file : FileCard
        Any file of the repository, with the revision its card names.
    revision : str
        Commit, tag or branch; what is not a commit is looked up on the hub.

    Raises
    ------
    ModelError
        If the model is not on the hub, or the revision is not there.
    """
    if not file.repo:
        raise ModelError("the weights of this model are in its folder: only models of the hub have revisions")
    commit = revision
    if not COMMIT.fullmatch(revision):
        bare = FileCard(repo=file.repo, file=file.file, revision=revision)
        commit = stated_by_hub(bare).revision
    pin_commit(file, commit)


@dataclass(frozen=True)
class Needed:
    """One file a model takes from the hub.

    Attributes
    ----------
    file : FileCard
        With size and commit as far as they are known.
    here : bool
        Whether it is on this computer.
    """

    file: FileCard
    here: bool


def needed(card: ModelCard, *, ask_hub: bool = False) -> list[Needed]:
    """List the hub files of a model, with what is here already; sizes of the others are asked of the hub.

    Where the hub cannot be asked, the sizes on the card stand.
    """
    from huggingface_hub import try_to_load_from_cache

    found = []
    for file in hub_files(card):
        known = pinned(file)
        cached = try_to_load_from_cache(known.repo, known.file, revision=known.revision or None)
        here = isinstance(cached, str)
        if isinstance(cached, str):
            known = known.model_copy(update={"size": Path(cached).stat().st_size})
        elif ask_hub:
            try:
                known = stated_by_hub(known)
            except ModelError:
                ask_hub = False  # offline: not once more for each file
        found.append(Needed(known, here))
    return found


def total_size(files: Sequence[Needed]) -> int:
    """Add up the bytes still to fetch."""
    return sum(n.file.size for n in files if not n.here)


def readable(size: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> readable(4_546_005_432), readable(213_450)
    ('4.5 GB', '213 kB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}" if size < 10 * factor else f"{size / factor:.0f} {unit}"
    return f"{size} B"


def _commit_of(path: Path) -> str:
    """The commit a path in the hub's cache (``snapshots/<commit>/…``) belongs to."""
    parts = path.parts
    place = max((i for i, part in enumerate(parts) if part == "snapshots"), default=len(parts))
    commit = parts[place + 1] if place + 1 < len(parts) else ""
    return commit if COMMIT.fullmatch(commit) else ""
