"""Vision networks of ``transformers`` as channel encoders; code that comes with weights is never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.encoders.three_channels import Triple, one_plane_input
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_json

IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI: tuple[Triple, Triple] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
HALVES: tuple[Triple, Triple] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Family:
    """Networks of one ``model_type``: how they are loaded and read.

    Attributes
    ----------
    kind : str
        Of the encoder card.
    network : str
        Class of transformers.
    title : str
        For messages.
    pooled : bool
        Whether the feature is the pooled output; otherwise it is the class token after the last norm.
    colours : tuple
        Mean and standard deviation where no ``preprocessor_config.json`` says them.
    crop : int or None
        Side of the crops it was trained on, where that is not its ``image_size``.
    """

    kind: str
    network: str
    title: str
    pooled: bool
    colours: tuple[Triple, Triple]
    crop: int | None = None


# The class token and not transformers' pooler for ViT: no published DINO has weights for that dense layer,
# so it would be random. CLIP's pooled output is its class token after the last norm, SigLIP's an attention.
FAMILIES: dict[str, Family] = {
    "dinov2": Family("dinov2", "Dinov2Model", "DINOv2", False, IMAGENET, 224),
    "dinov2_with_registers": Family("dinov2", "Dinov2WithRegistersModel", "DINOv2", False, IMAGENET, 224),
    "vit": Family("vit", "ViTModel", "ViT", False, IMAGENET),
    "clip": Family("clip", "CLIPVisionModel", "CLIP", True, OPENAI),
    "clip_vision_model": Family("clip", "CLIPVisionModel", "CLIP", True, OPENAI),
    "siglip": Family("siglip", "SiglipVisionModel", "SigLIP", True, HALVES),
    "siglip_vision_model": Family("siglip", "SiglipVisionModel", "SigLIP", True, HALVES),
}


class TransformersEncoder(nn.Module):
    """A vision network of transformers as channel encoder.

    The feature of a crop is the class token after the last layer norm for DINO (Caron et al. 2021, arXiv
    2104.14294) and DINOv2 (Oquab et al. 2024, arXiv 2304.07193), and the pooled output for CLIP (Radford et
    al. 2021, arXiv 2103.00020) and SigLIP (Zhai et al. 2023, arXiv 2303.15343). Position tables are
    interpolated to the crop's size as transformers does it.

    Parameters
    ----------
    network : nn.Module
        With its weights; its patch projection is replaced by one that reads a single plane.
    mean, std : sequence of float
        Colour normalisation.
    """

    def __init__(self, network: Any, mean: Triple, std: Triple) -> None:
        super().__init__()
        self.network = network
        self.normalise = one_plane_input(network, mean, std)
        self.dim: int = network.config.hidden_size
        self._family = FAMILIES[network.config.model_type]

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] in 0..1 to [N, dim]."""
        size = {} if self._family.kind == "dinov2" else {"interpolate_pos_encoding": True}
        out = self.network(pixel_values=self.normalise(images), **size)
        return out.pooler_output if self._family.pooled else out.last_hidden_state[:, 0]

    def attend_plainly(self) -> None:
        """Attend by products of matrices from now on, if this release of transformers lets one choose."""
        choose: Any = getattr(self.network, "set_attn_implementation", None)
        if choose is not None:
            choose("eager")


def vision_config(folder: Path) -> dict[str, Any]:
    """Read the part of a repository's ``config.json`` that describes its vision network.

    Raises
    ------
    ModelError
        If there is none, or it describes a network that is not among `FAMILIES`.
    """
    config = _json(folder / "config.json")
    if config is None:
        raise ModelError(
            f"{folder} holds no channel encoder: config.json cannot be read (expected the files of a hub "
            "repository such as facebook/dinov2-small)"
        )
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise ModelError(
            f"{folder / 'config.json'} describes a network of the kind {kind!r}; channel encoders are "
            f"{', '.join(sorted({f.title for f in FAMILIES.values()}))} and those of timm"
        )
    inner = config.get("vision_config")
    found = {**inner, "model_type": kind} if isinstance(inner, dict) else config
    # Old CLIP files leave out what equals the defaults of their kind.
    found.setdefault("hidden_size", 768)
    return found


def transformers_card(folder: Path) -> tuple[EncoderCard, int]:
    """Read off a folder in the hub's layout what encoder it holds (not hashed), and its crop size.

    Raises
    ------
    ModelError
        As `vision_config`.
    """
    config = vision_config(folder)
    family = FAMILIES[config["model_type"]]
    stated = _json(folder / "preprocessor_config.json") or {}
    mean, std = (_triple(stated.get(key), of) for key, of in zip(_KEYS, family.colours, strict=True))
    card = EncoderCard(
        kind=family.kind,
        name=folder.name,
        dim=int(config["hidden_size"]),
        mean=mean,
        std=std,
    )
    return card, _crop(stated) or family.crop or int(config.get("image_size", 224))


def load(card: EncoderCard, source: Path, size: int) -> TransformersEncoder:
    """Load a vision network from a folder in the hub's layout.

    Raises
    ------
    ModelError
        If it is damaged, lacks weights, or is of another kind than the card says.
    """
    import transformers
    from safetensors import SafetensorError

    family = FAMILIES[vision_config(source)["model_type"]]
    if family.kind != card.kind:
        raise ModelError(f"{source} holds a {family.title}, the card asks for the kind {card.kind!r}")
    network: Any = getattr(transformers, family.network)
    options: dict[str, Any] = {"add_pooling_layer": False} if family.kind == "vit" else {}
    try:
        with quiet_transformers():
            loaded, report = network.from_pretrained(
                str(source),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise ModelError(f"the {family.title} in {source} cannot be loaded: {error}") from error
    except Exception as error:  # pickle raises its own kinds for forbidden content
        raise ModelError(f"the {family.title} in {source} is refused: it holds more than tensors") from error
    _require_all(report, family, source)
    return TransformersEncoder(loaded, card.mean, card.std)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from printing what it did not load: what is missing is looked at here."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


_KEYS = ("image_mean", "image_std")


def _require_all(report: Mapping[str, Any], family: Family, source: Path) -> None:
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the {family.title} in {source} lacks {len(missing)} weights, such as {missing[0]}: get the "
            "whole repository"
        )
    if report.get("mismatched_keys"):
        name = sorted(str(key) for key in report["mismatched_keys"])[0]
        raise ModelError(f"the weights in {source} do not fit its config.json ({name}): get both again")


def _crop(stated: Mapping[str, Any]) -> int | None:
    """Side of the square a processor crops or resizes to."""
    for key in ("crop_size", "size"):
        value = stated.get(key)
        if isinstance(value, dict):
            value = value.get("height", value.get("shortest_edge"))
        if isinstance(value, int) and value > 0 and (key == "size" or stated.get("do_center_crop", True)):
            return value
    return None


def _triple(value: Any, otherwise: Triple) -> Triple:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
        return (float(value[0]), float(value[1]), float(value[2]))
    return otherwise


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
