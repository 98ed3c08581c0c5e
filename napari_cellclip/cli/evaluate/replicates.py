"""``napari-cellclip evaluate replicates SOURCE…``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import (
    BatchOption,
    ByOption,
    ComponentsOption,
    ControlsOption,
    CorrectOption,
    FitOnOption,
    KernelOption,
    MetadataOption,
    NullOption,
    OutOption,
    ScalerOption,
    SeedOption,
    SourcesArgument,
    UpdateCardOption,
    WithinOption,
    conclude,
    correction,
    embeddings,
)
from napari_cellclip.vocabulary.significance import FDR


def replicates(
    sources: SourcesArgument,
    out: OutOption,
    metadata: MetadataOption = None,
    controls: ControlsOption = None,
    by: ByOption = "Metadata_perturbation",
    within: WithinOption = None,
    correct: CorrectOption = "none",
    kernel: KernelOption = "rbf",
    components: ComponentsOption = 500,
    scaler: ScalerOption = "controls",
    batch: BatchOption = "Metadata_Plate",
    fit_on: FitOnOption = "half",
    significance: Annotated[
        str,
        typer.Option(help="p of a perturbation: 'geometric' mean over its wells, or of the 'mean' itself."),
    ] = "geometric",
    null: NullOption = 10_000,
    fdr: Annotated[
        float, typer.Option(min=0, max=1, help="False-discovery rate accepted (Benjamini-Hochberg).")
    ] = FDR,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Find replicates among negative controls.

    Each treated well ranks its replicates and the negative controls of its plate. Mean average
    precision and the share of perturbations retrieved at the FDR.

    Example: napari-cellclip evaluate replicates my-screen --correct sphering --out figures
    """
    from napari_cellclip.evaluation.protocols.replicates import replicates as run

    result = run(
        embeddings(sources, metadata, controls),
        by=by,
        within=within or (),
        correction=correction(correct, kernel, components, scaler, batch),
        fit_on=fit_on,  # type: ignore[arg-type]
        method=significance,  # type: ignore[arg-type]
        null_size=null,
        seed=seed,
        fdr=fdr,
    )
    conclude(out, "replicates", *result, update_card=update_card)
