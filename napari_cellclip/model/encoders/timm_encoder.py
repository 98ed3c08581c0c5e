"""Networks of ``timm`` as channel encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard, require_plain_name
from napari_cellclip.model.encoders.three_channels import Triple, one_plane_input
from napari_cellclip.model.weights.weight_files import find_weight_file, read_weights
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json


class TimmEncoder(nn.Module):
    """Any network of timm, its pooled features.

    Parameters
    ----------
    network : nn.Module
        Made with ``num_classes=0``; a patch projection is replaced by one that reads a single plane.
    mean, std : sequence of float
        Colour normalisation.
    """

    def __init__(self, network: Any, mean: Triple, std: Triple) -> None:
        super().__init__()
        self.network = network
        self.normalise = one_plane_input(network, mean, std)
        self.dim: int = network.num_features

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] in 0..1 to [N, dim]."""
        return self.network(self.normalise(images))


def load(card: EncoderCard, source: Path, size: int) -> TimmEncoder:
    """Load a network of timm from a file of weights, or the folder that holds it.

    Raises
    ------
    ModelError
        If timm has no such network, or the file holds another one.
    """
    network = _timm_network(card.name).network
    if hasattr(network, "set_input_size"):
        # A transformer's position table is made for one crop size; let it take the card's.
        network.set_input_size(img_size=size)
    file = find_weight_file(source)
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


def timm_encoder(card: EncoderCard) -> TimmEncoder:
    """Make a network of timm without its weights.

    Raises
    ------
    ModelError
        If timm has no such network.
    """
    return TimmEncoder(_timm_network(card.name).network, card.mean, card.std)


def timm_card(folder: Path) -> tuple[EncoderCard, int] | None:
    """Read off a repository of timm its network and the side of its crops; ``None`` where it is none."""
    try:
        config = read_json(folder / "config.json")
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict) or "model_type" in config or "architecture" not in config:
        return None
    stated = config.get("pretrained_cfg") or {}
    name, size = str(config["architecture"]), stated.get("input_size") or [3, 224, 224]
    network = _timm_network(name)
    if network.dim is None:
        raise ModelError(f"timm's {name} gives no vector for a picture: choose another network")
    mean, std = (tuple(stated.get(key) or ()) for key in ("mean", "std"))
    colours = {"mean": mean, "std": std} if len(mean) == len(std) == 3 else {}
    return EncoderCard(kind="timm", name=name, dim=network.dim, **colours), int(size[-1])


class _Made:
    """A network of timm made without weights, and the length of its features."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.dim: int | None = getattr(network, "num_features", None)


def _timm_network(name: str) -> _Made:
    import timm

    require_plain_name(name)
    try:
        return _Made(timm.create_model(name, pretrained=False, num_classes=0))
    except RuntimeError as error:
        raise ModelError(f"timm knows no network named {name!r}: see timm.list_models()") from error


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
