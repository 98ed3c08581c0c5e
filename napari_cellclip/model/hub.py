"""Fetching files from the Hugging Face hub, only after the user said yes to their licence."""

from __future__ import annotations

from pathlib import Path

from napari_cellclip.model.card import FileCard, ModelCard
from napari_cellclip.vocabulary import ModelError


def hub_file(file: FileCard, card: ModelCard, *, accept_licence: bool = False) -> Path:
    """Path of a hub file: from the hub's cache on this computer, or fetched if the licence was accepted.

    Parameters
    ----------
    file : FileCard
        Repository, file and revision.
    card : ModelCard
        The model it belongs to, whose licence is at stake.
    accept_licence : bool
        Whether the user accepted it. What was fetched before is used without asking.

    Raises
    ------
    ModelError
        If the file is not here and may not or cannot be fetched.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    revision = file.revision or None
    cached = try_to_load_from_cache(file.repo, file.file, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    if not accept_licence:
        raise ModelError(
            f"{card.title or card.name} needs {file.file} of {file.repo}, which is not on this computer. "
            f"Licence: {card.licence}. {card.licence_text} To fetch it, pass accept_licence=True "
            "(on the command line --accept-licence); files you already have can be given as paths instead "
            "(encoder= and tokenizer=, on the command line --encoder and --tokenizer)"
        )
    try:
        return Path(hf_hub_download(file.repo, file.file, revision=revision))
    # OSError covers a lost connection, offline mode and a full disk alike.
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{file.file} of {file.repo} could not be fetched ({type(error).__name__}): check the "
            "connection, or give the path of files fetched elsewhere"
        ) from error
