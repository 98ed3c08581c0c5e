"""Requests to huggingface.co: the state of a file, its bytes, a page's licence."""

from __future__ import annotations

import hashlib
from pathlib import Path

from napari_cellclip.model.card import FileCard
from napari_cellclip.model.weights.hub_notes import COMMIT, SHA256
from napari_cellclip.model.weights.weight_files import sha256
from napari_cellclip.vocabulary import ModelError


class AbsentError(ModelError):
    """A repository has no such file, or none on this computer while the network may not be used."""


def stated_by_hub(file: FileCard) -> FileCard:
    """Ask the hub for what it states of a file: commit, size and, for large ones, SHA-256.

    Raises
    ------
    ModelError
        If it cannot be asked.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        stated = get_hf_file_metadata(hf_hub_url(file.repo, file.file, revision=file.revision or None))
    except Exception as error:  # the client lets the kinds of its HTTP library through
        raise _unreachable(file, error) from error
    return file.model_copy(
        update={
            "revision": stated.commit_hash or file.revision,
            "size": stated.size or file.size,
            "sha256": stated.etag if stated.etag and SHA256.fullmatch(stated.etag) else file.sha256,
        }
    )


def stated_licence(repo: str) -> str:
    """Ask for the licence that a repository's page states; empty where it states none or cannot be asked."""
    from huggingface_hub import HfApi

    try:
        stated = HfApi().model_info(repo, timeout=10).card_data
    except Exception:  # offline, or gone: nothing is lost, the page itself says it
        return ""
    return str(stated.get("license") or "") if stated else ""


def fetch(file: FileCard) -> Path:
    """Fetch a file into the hub's cache and compare its bytes with the hash that the hub stated.

    A connection that breaks is taken up where it broke, a few times, by clients from 1.0 on. Those before 2.0
    keep the part of a file that came, for the next fetch; later ones begin again.

    Raises
    ------
    ModelError
        If it cannot be fetched, or arrives as other bytes than the hub said.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    try:
        stated = get_hf_file_metadata(hf_hub_url(file.repo, file.file, revision=file.revision or None))
        path = Path(hf_hub_download(file.repo, file.file, revision=file.revision or None))
    except Exception as error:  # lost connection, offline mode, full disk: each client has its own kinds
        raise _unreachable(file, error) from error
    if stated.etag and not _has_etag(path, stated.etag):
        path.resolve().unlink()  # in the cache, so that the next try fetches it again
        path.unlink(missing_ok=True)
        raise ModelError(f"{file.file} of {file.repo} arrived damaged: fetch it again")
    return path


def _has_etag(path: Path, etag: str) -> bool:
    """Whether a file's bytes have the hub's own hash: SHA-256 of large files, git's of small ones."""
    if SHA256.fullmatch(etag):
        return sha256(path) == etag
    if COMMIT.fullmatch(etag):
        content = path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return git.hexdigest() == etag
    return True  # not a hash: there is nothing to compare with


def _unreachable(file: FileCard, error: Exception) -> ModelError:
    from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return ModelError(f"the hub has no repository {file.repo}, or asks to log in for it: check its name")
    if isinstance(error, EntryNotFoundError) and not isinstance(error, FileNotFoundError):
        return AbsentError(f"{file.repo} has no file {file.file} at {file.revision or 'main'}")
    offline = isinstance(error, OfflineModeIsEnabled) or "offline mode" in str(error).lower()
    why = "HF_HUB_OFFLINE is set" if offline else type(error).__name__
    do = "unset it" if offline else "check the connection and try again (what was fetched whole is kept)"
    kind = AbsentError if offline else ModelError
    return kind(
        f"{file.file} of {file.repo} could not be fetched ({why}): {do}, or give the path of files fetched "
        "elsewhere"
    )
