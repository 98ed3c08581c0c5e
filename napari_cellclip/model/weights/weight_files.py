"""Find, read and hash files of weights, without running anything that is in them."""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path
from typing import Any

from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import require_regular

NAMES = ("model.safetensors", "encoder.safetensors", "pytorch_model.bin")
"""Files of weights looked for in a folder, the safe format first."""


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with open(require_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_weight_file(source: Path) -> Path:
    """Find the file of weights that a path means: itself, or the known one in a folder.

    Raises
    ------
    ModelError
        If there is none, or the weights lie in several files.
    """
    if source.is_file():
        return source
    found = [source / name for name in NAMES if (source / name).is_file()]
    if found:
        return found[0]
    if any(source.glob("*.index.json")):
        raise ModelError(
            f"the weights in {source} lie in several files: save them as one model.safetensors first"
        )
    raise ModelError(f"no weights in {source}: expected a file, or a folder with {' or '.join(NAMES)}")


def read_weights(path: Path) -> dict[str, Any]:
    """Read tensors from a file without running anything that is in it.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or one of ``torch.save``, of which only tensors and plain containers are
        taken.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds anything else, such as a pickle that would run code.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return _finite(dict(load_file(path)), path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an odd pickle protocol: refused or read just below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError, EOFError, KeyError) as error:
        if isinstance(error, OSError) and not path.is_file():
            raise ModelError(f"there are no weights at {path}: check the path") from error
        raise ModelError(
            f"the weights in {path} cannot be read ({_first_line(error)}): copy or fetch the file again"
        ) from error
    except Exception as error:  # pickle raises its own kinds for damaged or forbidden content
        raise ModelError(
            f"{path} is refused as weights, and nothing in it was run: it holds {_culprit(error)}; ask for "
            "the weights as a safetensors file"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"the weights in {path} hold no table of names and tensors: give a state dict")
    return _finite(content, path)


def _finite(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """Refuse weights that are no numbers: whatever is computed with them would be none either."""
    import torch

    for name, tensor in state.items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise ModelError(f"the weights in {path} are damaged ({name} holds NaN): fetch the file again")
    return state


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _culprit(error: Exception) -> str:
    """What the weights-only reader stumbled over, from its long explanation."""
    named = re.search(r"GLOBAL ([\w.]+) was not", str(error))
    return f"more than tensors ({named[1]})" if named else "something other than tensors"
