"""Channel encoders: what turns a crop of one stain into a feature vector, behind one small interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.encoders.colour import ThreeChannels
from napari_cellclip.model.encoders.profile_encoder import ProfileEncoder
from napari_cellclip.model.encoders.small_encoder import SmallEncoder
from napari_cellclip.model.encoders.vision_towers import KINDS, Triple, load_vision, vision_card
from napari_cellclip.model.weights.checkpoints import read_weights, weights_file
from napari_cellclip.vocabulary import ModelError


@runtime_checkable
class ChannelEncoder(Protocol):
    """Anything that maps single-stain crops [N, 1, H, W] in 0..1 to features [N, dim]."""

    dim: int

    def __call__(self, images: Tensor) -> Tensor:
        """Encode crops."""
        ...


class TimmEncoder(nn.Module):
    """Any network of timm, its pooled features.

    Parameters
    ----------
    network : nn.Module
        Made with ``num_classes=0``.
    mean, std : sequence of float
        Colour normalisation.
    """

    def __init__(self, network: Any, mean: Triple, std: Triple) -> None:
        super().__init__()
        self.network = network
        self.normalise = ThreeChannels(mean, std)
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
        ``dinov2``, ``vit``, ``clip``, ``siglip``: a folder in the hub's layout (``config.json``,
        ``model.safetensors``). ``timm`` and ``small``: a safetensors (or, for timm, weights-only
        ``.bin``/``.pth``) file, or the folder that holds one. ``profile``: its list of features.
    size : int
        Side of the crops in pixels; timm's transformers are made for one size.

    Returns
    -------
    nn.Module
        A `ChannelEncoder`, frozen and in evaluation mode.

    Raises
    ------
    ModelError
        If a file is missing, damaged, or holds another network.
    """
    encoder: Any
    if card.kind == "profile":
        encoder = ProfileEncoder.from_file(card, source)
    elif card.kind in KINDS:
        encoder = load_vision(card, source)
    elif card.kind == "timm":
        encoder = _load_timm(card, source, size)
    else:
        encoder = _load_small(card, source)
    if encoder.dim != card.dim:
        raise ModelError(
            f"the channel encoder in {source} gives {encoder.dim} numbers a stain, the model wants "
            f"{card.dim}: use the encoder this model was trained with"
        )
    frozen: nn.Module = encoder.eval().requires_grad_(False)
    return frozen


def encoder_card(folder: Path) -> EncoderCard:
    """Read off a folder in the hub's layout what encoder it holds (not yet hashed).

    Raises
    ------
    ModelError
        If it holds none that this program knows.
    """
    return encoder_and_crop(folder)[0]


def encoder_and_crop(folder: Path) -> tuple[EncoderCard, int]:
    """As `encoder_card`, and the side of the crops in pixels that it was made for."""
    timm = _timm_card(folder)
    return timm if timm is not None else vision_card(folder)


def _timm_card(folder: Path) -> tuple[EncoderCard, int] | None:
    """What a repository of timm says of itself: its architecture and how pictures are prepared."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict) or "model_type" in config or "architecture" not in config:
        return None
    told = config.get("pretrained_cfg") or {}
    name, size = str(config["architecture"]), told.get("input_size") or [3, 224, 224]
    network = _timm_network(name)
    if network.dim is None:
        raise ModelError(f"timm's {name} gives no vector for a picture: choose another network")
    mean, std = (tuple(told.get(key) or ()) for key in ("mean", "std"))
    colours = {"mean": mean, "std": std} if len(mean) == len(std) == 3 else {}
    return EncoderCard(kind="timm", name=name, dim=network.dim, **colours), int(size[-1])


class _Made:
    """A network of timm made without weights, and the length of its features."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.dim: int | None = getattr(network, "num_features", None)


def _timm_network(name: str) -> _Made:
    import timm

    try:
        return _Made(timm.create_model(name, pretrained=False, num_classes=0))
    except RuntimeError as error:
        raise ModelError(f"timm knows no network named {name!r}: see timm.list_models()") from error


def _load_timm(card: EncoderCard, source: Path, size: int) -> TimmEncoder:
    network = _timm_network(card.name).network
    if hasattr(network, "set_input_size"):
        # A transformer's position table is made for one crop size; let it take the card's.
        network.set_input_size(img_size=size)
    file = weights_file(source)
    state = read_weights(file)
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = {k: v for k, v in state.items() if not any(k.startswith(f"{head}.") for head in heads)}
    try:
        state = _at_size(network, state)
        network.load_state_dict(state, strict=True)
    except (RuntimeError, AttributeError) as error:
        raise ModelError(f"{file} does not hold the weights of timm's {card.name}: {error}") from error
    return TimmEncoder(network, card.mean, card.std)


def _at_size(network: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Interpolate the position table of a transformer to the network's crop size, where they differ."""
    from timm.layers import resample_abs_pos_embed

    table, own = state.get("pos_embed"), getattr(network, "pos_embed", None)
    if table is None or own is None or table.shape == own.shape or table.ndim != 3:
        return state
    prefix = getattr(network, "num_prefix_tokens", 1)
    if getattr(network, "no_embed_class", False):
        prefix = 0
    grid = list(network.patch_embed.grid_size)
    resized = resample_abs_pos_embed(table, new_size=grid, num_prefix_tokens=prefix)
    return {**state, "pos_embed": resized}


def _load_small(card: EncoderCard, source: Path) -> SmallEncoder:
    encoder = SmallEncoder(card.dim, card.widths, card.depths, card.stem)
    try:
        encoder.load_state_dict(read_weights(weights_file(source)), strict=True)
    except RuntimeError as error:
        raise ModelError(f"{source} does not hold this model's channel encoder: {error}") from error
    return encoder
