"""What is asked of huggingface.co: the state of a file, its bytes, a page's licence."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from napari_cellclip.model.card import FileCard
from napari_cellclip.model.weights.hub_notes import COMMIT, SHA256
from napari_cellclip.model.weights.weight_files import sha256
from napari_cellclip.vocabulary import ModelError


class AbsentError(ModelError):
    """A repository has no such file, or none on this computer while the network may not be used."""


def stated_by_hub(file: FileCard) -> FileCard:
    """What the hub says of a file: commit, size and, for large ones, SHA-256.

    Raises
    ------
    ModelError
        If it cannot be asked.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        told = get_hf_file_metadata(hf_hub_url(file.repo, file.file, revision=file.revision or None))
    except Exception as error:  # the client lets the kinds of its HTTP library through
        raise _unreachable(file, error) from error
    return file.model_copy(
        update={
            "revision": told.commit_hash or file.revision,
            "size": told.size or file.size,
            "sha256": told.etag if told.etag and SHA256.fullmatch(told.etag) else file.sha256,
        }
    )


def stated_licence(repo: str) -> str:
    """The licence that a repository's page states; empty where it states none or cannot be asked."""
    from huggingface_hub import HfApi

    try:
        told = HfApi().model_info(repo, timeout=10).card_data
    except Exception:  # offline, or gone: nothing is lost, the page itself says it
        return ""
    return str(told.get("license") or "") if told else ""


def fetch(file: FileCard) -> Path:
    """Put a file into the hub's cache, going on with what an earlier try left.

    Raises
    ------
    ModelError
        If it cannot be fetched, or arrives as other bytes than the hub said.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers

    try:
        url = hf_hub_url(file.repo, file.file, revision=file.revision or None)
        told = get_hf_file_metadata(url)
        etag = told.etag or ""
        if SHA256.fullmatch(etag) or COMMIT.fullmatch(etag):  # nothing else becomes a file name
            # The client itself starts from the first byte after an interruption (since its version 2).
            folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=file.repo, repo_type="model")
            blob, part = folder / "blobs" / etag, folder / "blobs" / f"{etag}.part"
            blob.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(f"{part}.lock"):
                if not blob.exists():
                    with open(part, "ab") as sink:
                        done = sink.tell()
                        http_get(
                            url,
                            sink,
                            resume_size=done,
                            headers=build_hf_headers(),
                            expected_size=told.size,
                            displayed_filename=f"{file.repo}/{file.file}",
                        )
                    _require_etag(part, etag, file)
                    os.replace(part, blob)
        return Path(hf_hub_download(file.repo, file.file, revision=file.revision or None))
    except ModelError:
        raise
    except Exception as error:  # lost connection, offline mode, full disk: each client has its own kinds
        raise _unreachable(file, error) from error


def _require_etag(part: Path, etag: str, file: FileCard) -> None:
    """Compare fetched bytes with the hub's own hash: SHA-256 of large files, git's of small ones."""
    if SHA256.fullmatch(etag):
        found = sha256(part)
    else:
        content = part.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != etag:
        part.unlink()
        raise ModelError(f"{file.file} of {file.repo} arrived damaged: fetch it again")


def _unreachable(file: FileCard, error: Exception) -> ModelError:
    from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return ModelError(f"the hub has no repository {file.repo}, or asks to log in for it: check its name")
    if isinstance(error, EntryNotFoundError) and not isinstance(error, FileNotFoundError):
        return AbsentError(f"{file.repo} has no file {file.file} at {file.revision or 'main'}")
    offline = isinstance(error, OfflineModeIsEnabled) or "offline mode" in str(error).lower()
    why = "HF_HUB_OFFLINE is set" if offline else type(error).__name__
    do = "unset it" if offline else "check the connection and try again, what has arrived is kept"
    kind = AbsentError if offline else ModelError
    return kind(
        f"{file.file} of {file.repo} could not be fetched ({why}): {do}, or give the path of files fetched "
        "elsewhere"
    )
