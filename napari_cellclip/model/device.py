"""The device a model computes on."""

from __future__ import annotations

import torch

from napari_cellclip.vocabulary import ModelError


def resolve_device(name: str = "auto") -> torch.device:
    """Find the torch device a name means.

    Parameters
    ----------
    name : str
        ``"auto"`` takes a GPU (CUDA, then Apple's) where there is one, else the CPU; or any torch device.

    Raises
    ------
    ModelError
        If the device does not exist on this computer.
    """
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r} is not a device: use auto, cpu, cuda or mps") from error
    absent = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not has_mps
    )
    if absent:
        raise ModelError(f"this computer has no device {name!r}: use auto or cpu")
    return device


def further_devices(device: torch.device) -> list[torch.device]:
    """List the other GPUs of this computer, where a device means all of them: ``cuda`` without a number."""
    if str(device) != "cuda":
        return []
    return [torch.device("cuda", number) for number in range(1, torch.cuda.device_count())]
