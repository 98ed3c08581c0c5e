"""Channel encoders: what turns a crop of one stain into a feature vector, behind one small interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.small_encoder import SmallEncoder
from napari_cellclip.vocabulary import ModelError


@runtime_checkable
class ChannelEncoder(Protocol):
    """Anything that maps single-stain crops [N, 1, H, W] in 0..1 to features [N, dim]."""

    dim: int

    def __call__(self, images: Tensor) -> Tensor:
        """Encode crops."""
        ...


class _ThreeChannels(nn.Module):
    """Repeats one stain three times and normalises it, as encoders made for colour pictures want it."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] to [N, 3, H, W]."""
        return (images - self.mean) / self.std


class Dinov2Encoder(nn.Module):
    """A DINOv2 of the ``transformers`` package (Oquab et al. 2024, arXiv 2304.07193).

    The feature is the class token after the last layer norm. timm has the same networks but interpolates the
    position table another way, so its features differ from those CellCLIP was trained on.

    Parameters
    ----------
    network : Dinov2Model
        Its weights.
    mean, std : sequence of float
        Colour normalisation.
    """

    def __init__(self, network: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.normalise = _ThreeChannels(mean, std)
        self.dim: int = network.config.hidden_size

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] in 0..1 to [N, dim]."""
        return self.network(pixel_values=self.normalise(images)).last_hidden_state[:, 0]


class TimmEncoder(nn.Module):
    """Any network of timm, its pooled features.

    Parameters
    ----------
    network : nn.Module
        Made with ``num_classes=0``.
    mean, std : sequence of float
        Colour normalisation.
    """

    def __init__(self, network: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.normalise = _ThreeChannels(mean, std)
        self.dim: int = network.num_features

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] in 0..1 to [N, dim]."""
        return self.network(self.normalise(images))


def load_encoder(card: EncoderCard, source: Path, *, size: int = 224) -> nn.Module:
    """Load a channel encoder from local files.

    Parameters
    ----------
    card : EncoderCard
        What it is.
    source : Path
        ``dinov2``: a folder in the hub's layout (``config.json``, ``model.safetensors``). ``timm`` and
        ``small``: a safetensors (or, for timm, weights-only ``.bin``/``.pth``) file, or the folder that holds
        one.
    size : int
        Side of the crops in pixels; timm's transformers are made for one size.

    Returns
    -------
    nn.Module
        A `ChannelEncoder` in evaluation mode, its weights frozen.

    Raises
    ------
    ModelError
        If files are missing, are not what the card says, or the features have another length.
    """
    source = Path(source)
    encoder: Dinov2Encoder | TimmEncoder | SmallEncoder
    if card.kind == "dinov2":
        encoder = _load_dinov2(card, source)
    elif card.kind == "timm":
        encoder = _load_timm(card, source, size)
    else:
        encoder = _load_small(card, source)
    if encoder.dim != card.dim:
        raise ModelError(
            f"the channel encoder in {source} gives {encoder.dim} numbers a stain, the model wants "
            f"{card.dim}: "
            "use the encoder this model was trained with"
        )
    return encoder.eval().requires_grad_(False)


def encoder_card(folder: Path) -> EncoderCard:
    """Read off a DINOv2 folder in the hub's layout what encoder it holds (not yet hashed)."""
    config = _dinov2_config(folder)
    return EncoderCard(kind="dinov2", name=folder.name, dim=int(config["hidden_size"]))


def _dinov2_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} holds no DINOv2: {path.name} cannot be read (expected the files of a hub "
            f"repository such as "
            "facebook/dinov2-small)"
        ) from error
    if not isinstance(config, dict) or config.get("model_type") != "dinov2":
        raise ModelError(f"{path} does not describe a DINOv2 (model_type must be dinov2)")
    return config


def _load_dinov2(card: EncoderCard, source: Path) -> Dinov2Encoder:
    from transformers import Dinov2Model

    _dinov2_config(source)
    try:
        loaded: Any = Dinov2Model.from_pretrained(
            str(source), local_files_only=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the DINOv2 in {source} cannot be loaded: {error}") from error
    network, report = loaded
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelError(f"the DINOv2 in {source} lacks {len(missing)} weights, such as {missing[0]}")
    return Dinov2Encoder(network, card.mean, card.std)


def _load_timm(card: EncoderCard, source: Path, size: int) -> TimmEncoder:
    import timm

    try:
        network: Any = timm.create_model(card.name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise ModelError(f"timm knows no network named {card.name!r}: see timm.list_models()") from error
    if hasattr(network, "set_input_size"):
        # A transformer's position table is made for one crop size; let it take the card's.
        network.set_input_size(img_size=size)
    state = read_weights(weights_file(source))
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = {k: v for k, v in state.items() if not any(k.startswith(f"{head}.") for head in heads)}
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"{source} does not hold the weights of timm's {card.name}: {error}") from error
    return TimmEncoder(network, card.mean, card.std)


def _load_small(card: EncoderCard, source: Path) -> SmallEncoder:
    encoder = SmallEncoder(card.dim, card.widths, card.depths)
    try:
        encoder.load_state_dict(read_weights(weights_file(source)), strict=True)
    except RuntimeError as error:
        raise ModelError(f"{source} does not hold this model's channel encoder: {error}") from error
    return encoder


def weights_file(source: Path) -> Path:
    """The file of weights that a path means: itself, or the known one in a folder."""
    if source.is_file():
        return source
    names = ("model.safetensors", "encoder.safetensors", "pytorch_model.bin")
    found = [source / name for name in names if (source / name).is_file()]
    if not found:
        raise ModelError(f"no weights in {source}: expected a file, or a folder with {' or '.join(names)}")
    return found[0]


def read_weights(path: Path) -> dict[str, Any]:
    """Read tensors from a file without running anything that is in it.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not one of safetensors and weights-only torch files.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError, EOFError, KeyError) as error:
        raise ModelError(f"the weights in {path} cannot be read: {error}") from error
    except Exception as error:  # pickle raises its own kinds for damaged or forbidden content
        raise ModelError(
            f"the weights in {path} are refused: they hold more than tensors ({error})"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"the weights in {path} hold no table of names and tensors")
    return content
