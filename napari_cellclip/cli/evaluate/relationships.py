"""``napari-cellclip evaluate relationships SOURCE… --known FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import (
    BatchOption,
    ComponentsOption,
    ConsensusOption,
    ControlsOption,
    CorrectOption,
    KernelOption,
    MetadataOption,
    OutOption,
    ScalerOption,
    SourcesArgument,
    UpdateCardOption,
    conclude,
    correction,
    embeddings,
)


def relationships(
    sources: SourcesArgument,
    known: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            show_default=False,
            help="A CSV of annotated gene pairs (entity1, entity2); once for each source.",
        ),
    ],
    out: OutOption,
    metadata: MetadataOption = None,
    controls: ControlsOption = None,
    consensus: ConsensusOption = "median",
    correct: CorrectOption = "none",
    kernel: KernelOption = "rbf",
    components: ComponentsOption = 500,
    scaler: ScalerOption = "controls",
    batch: BatchOption = "Metadata_Plate",
    update_card: UpdateCardOption = None,
) -> None:
    """Count the known gene relationships found.

    Those that lie in the tails of the map's similarities. Two nulls: all pairs of the map, as
    published, and pairs of its genes only. Tails from 1 to 10 %. No annotations come with this program:
    docs/evaluation.md says where they are and under which licence.

    Example: napari-cellclip evaluate relationships my-screen --known Reactome.csv --correct pca --out figures
    """
    from napari_cellclip.evaluation.protocols.relationships import relationships as run

    result = run(
        embeddings(sources, metadata, controls),
        known,
        how=consensus,  # type: ignore[arg-type]
        correction=correction(correct, kernel, components, scaler, batch),
    )
    conclude(out, "relationships", *result, update_card=update_card)
