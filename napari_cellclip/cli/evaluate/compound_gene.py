"""``napari-cellclip evaluate compound-gene SOURCE… --activities FILE``."""

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
    SeedOption,
    SourcesArgument,
    UpdateCardOption,
    conclude,
    correction,
    embeddings,
)


def compound_gene(
    sources: SourcesArgument,
    activities: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            show_default=False,
            help="A CSV of measured activities: treatment, gene_symbol, nM_value.",
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
    seeds: Annotated[int, typer.Option(min=1, help="How often inactive genes are drawn.")] = 10,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Rank genes by their likeness to compounds.

    How much do knockouts look like a compound that acts on some of the genes? Average precision and
    area under the ROC curve at each concentration, beside a random order.

    Example: napari-cellclip evaluate compound-gene my-screen --activities activities.csv --out figures
    """
    from napari_cellclip.evaluation.protocols.compound_gene import compound_gene as run

    result = run(
        embeddings(sources, metadata, controls),
        activities,
        how=consensus,  # type: ignore[arg-type]
        correction=correction(correct, kernel, components, scaler, batch),
        seeds=seeds,
        seed=seed,
    )
    conclude(out, "compound-gene", *result, update_card=update_card)
