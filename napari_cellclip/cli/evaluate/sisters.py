"""``napari-cellclip evaluate sisters SOURCE…``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import (
    BatchOption,
    ByOption,
    ComponentsOption,
    ConsensusOption,
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


def sisters(
    sources: SourcesArgument,
    out: OutOption,
    metadata: MetadataOption = None,
    controls: ControlsOption = None,
    labels: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of targets, several joined by |.")
    ] = "Metadata_genes",
    kind: Annotated[
        str | None,
        typer.Option(show_default=False, help="Match within this modality: compound, crispr or orf."),
    ] = None,
    across: Annotated[
        tuple[str, str] | None,
        typer.Option(show_default=False, help="Match across two modalities: --across compound crispr."),
    ] = None,
    by: ByOption = "Metadata_perturbation",
    within: WithinOption = None,
    consensus: ConsensusOption = "mean",
    replicable: Annotated[
        bool,
        typer.Option("--replicable/--all", help="Leave out compounds that do not find their own replicates."),
    ] = True,
    correct: CorrectOption = "none",
    kernel: KernelOption = "rbf",
    components: ComponentsOption = 500,
    scaler: ScalerOption = "controls",
    batch: BatchOption = "Metadata_Plate",
    fit_on: FitOnOption = "half",
    significance: Annotated[
        str,
        typer.Option(help="p of a target: 'geometric' mean over its queries, or of the 'mean' itself."),
    ] = "geometric",
    null: NullOption = 10_000,
    fdr: Annotated[
        float, typer.Option(min=0, max=1, help="False-discovery rate accepted (Benjamini-Hochberg).")
    ] = FDR,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Find perturbations of the same target.

    Mean average precision by target and the share of targets retrieved at the FDR, within one
    modality or across two.

    Example: napari-cellclip evaluate sisters my-screen --labels Metadata_genes --out figures
    """
    from napari_cellclip.evaluation.protocols.sisters import sisters as run

    result = run(
        embeddings(sources, metadata, controls),
        by=by,
        labels=labels,
        kind=kind,
        across=across,
        how=consensus,  # type: ignore[arg-type]
        replicable_only=replicable,
        within=within or (),
        correction=correction(correct, kernel, components, scaler, batch),
        fit_on=fit_on,  # type: ignore[arg-type]
        method=significance,  # type: ignore[arg-type]
        null_size=null,
        seed=seed,
        fdr=fdr,
    )
    conclude(out, "sisters-across" if across else "sisters", *result, update_card=update_card)
