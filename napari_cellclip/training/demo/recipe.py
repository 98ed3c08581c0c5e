"""Settings of the bundled ``demo`` model, and what its card says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from napari_cellclip.model import EncoderCard, IntensityScaling, ModelCard, Tiling
from napari_cellclip.model.card import VOCABULARY
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.demo.channel_encoder import EncoderConfig
from napari_cellclip.training.demo.demo_captions import caption_vocabulary
from napari_cellclip.training.demo.held_out import HELD_OUT, known_mechanisms
from napari_cellclip.vocabulary import STAINS
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS

PIXEL_SIZE = 0.6
"""Micrometres a pixel of the training plates."""

HEAD = TrainingConfig(loss="clip", epochs=30, batch=128, rate=1e-3, warmup=30, feature_noise=0.2)
"""Training of the head: each epoch draws as many bags as there are, of fields and of tiles."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the bundled model.

    Attributes
    ----------
    seed : int
        First seed of the training plates.
    plates, wells, sites, size
        Simulated plates and their format.
    tiles : tuple of (int, float)
        Sides in pixels of tiles that the head learns from beside whole fields, and how often bags of them are
        drawn relative to bags of fields. Heat maps score tiles of these sizes.
    dim : int
        Length of a stain's feature vector.
    widths, depths, stem
        Size of the channel encoder, see :class:`~napari_cellclip.model.SmallEncoder`.
    embed_dim, layers, text_width, text_layers : int
        Size of the head.
    words : int
        Most word pieces.
    encoder : EncoderConfig
        Stage 2.
    head : TrainingConfig
        Stage 3.
    shuffle : int
        Seed of the captions exchanged between bags, where a head is trained on those for comparison.
    """

    seed: int = 1
    plates: int = 16
    wells: int = 96
    sites: int = 2
    size: tuple[int, int] = (256, 256)
    tiles: tuple[tuple[int, float], ...] = ((128, 0.5), (64, 0.25))
    dim: int = 128
    widths: tuple[int, ...] = (8, 16, 32, 64, 128)
    depths: tuple[int, ...] = (1, 1, 1, 2, 2)
    stem: Literal[2, 4] = 2
    embed_dim: int = 128
    layers: int = 3
    text_width: int = 128
    text_layers: int = 2
    words: int = 1500
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    head: TrainingConfig = field(default_factory=lambda: HEAD)
    shuffle: int = 1


def base_card(recipe: Recipe) -> ModelCard:
    """Card of the bundled model, before hashes are filled in."""
    held_out = "; ".join(", ".join(names) for names in HELD_OUT.values())
    size, last = recipe.size, recipe.seed + recipe.plates - 1
    return ModelCard(
        name="demo",
        title="demo: a small CellCLIP trained on simulated cells",
        description="A CellCLIP of a few megabytes that has seen simulated Cell Painting fields only. It is "
        "there so that the program works at once on any computer and so that its parts can be "
        "tested. Use it to learn the program, never to conclude anything about real cells.",
        simulated=True,
        licence="BSD-3-Clause",
        source="python -m napari_cellclip.training.demo",
        encoder=EncoderCard(
            kind="small",
            name="small",
            dim=recipe.dim,
            widths=recipe.widths,
            depths=recipe.depths,
            stem=recipe.stem,
        ),
        intensity=IntensityScaling(kind="plate"),
        tiling=Tiling(mode="grid", size=size[0]),
        pixel_size=PIXEL_SIZE,
        stain_order=STAINS,
        embed_dim=recipe.embed_dim,
        trained_on=f"{recipe.plates} simulated plates of {recipe.wells} wells, {recipe.sites} fields of "
        f"{size[0]} x {size[1]} pixels each (seeds {recipe.seed} to {last}), {len(MECHANISMS)} "
        "mechanisms. The channel encoder was first taught by mechanism and simulated effect "
        "size, through a linear head on the five stains' features that was thrown away; then it "
        f"was frozen and the head trained with the {recipe.head.loss} loss, on whole fields and on "
        f"tiles of {' and '.join(str(side) for side, _ in recipe.tiles)} pixels. Wells simulated below "
        "a quarter of the full effect were not used for captions. Compounds held out of all "
        f"training: {held_out}.",
        limits="Simulated cells only: scores on real plates mean nothing. It knows the mechanisms, "
        "compounds and genes of its training captions; other words are guessed from their "
        "pieces. Upper and lower case are alike to it. Doses play no part. Fields are used at "
        "their own pixels and should be near the stated pixel size.",
        training={
            VOCABULARY: caption_vocabulary(known_mechanisms(), INERT_COMPOUNDS),
            "tile_sizes": [side for side, _ in recipe.tiles],
        },
    )
