"""``napari-cellclip evaluate retrieval SOURCE…``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.evaluate.options import (
    MetadataOption,
    OutOption,
    SeedOption,
    SourcesArgument,
    UpdateCardOption,
    conclude,
    embeddings,
)


def retrieval(
    sources: SourcesArgument,
    out: OutOption,
    metadata: MetadataOption = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            show_default=False,
            help="Embedded texts of another model: a file of embeddings with the column of --text-key.",
        ),
    ] = None,
    text_key: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column that joins --texts to the wells.")
    ] = "Metadata_treatment",
    unit: Annotated[str, typer.Option(help="What an item of the pool is: treatment or well.")] = "treatment",
    split: Annotated[
        str | None,
        typer.Option(
            show_default=False,
            help="Score only a part of the wells: of a split by compound, scaffold or plate, of the 'card' "
            "(as the model was trained), or a file with a well id on each line.",
        ),
    ] = None,
    part: Annotated[str, typer.Option(help="Which part: train, validation or test.")] = "test",
    split_seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
    bootstrap: Annotated[int, typer.Option(min=0, help="Draws of compounds for the intervals.")] = 1000,
    seed: SeedOption = 0,
    update_card: UpdateCardOption = None,
) -> None:
    """Find wells by texts and texts by wells.

    R@1, R@5, R@10, mean and median rank both ways, by cosine and by dot product, beside what a random
    order would reach in a pool of that size. Items that share a text are one group.

    Example: napari-cellclip evaluate retrieval my-screen --split compound --out figures
    """
    from napari_cellclip.evaluation.protocols.embeddings import read_embeddings
    from napari_cellclip.evaluation.protocols.retrieval import retrieval as run
    from napari_cellclip.evaluation.protocols.split_part import part_of_split

    table = embeddings(sources, metadata, None)
    chosen, selection = (
        (None, "all treated wells")
        if split is None
        else part_of_split(table, split, part=part, seed=split_seed)
    )
    result = run(
        table,
        texts=None if texts is None else read_embeddings(texts),
        text_key=text_key,
        unit=unit,  # type: ignore[arg-type]
        chosen=chosen,
        selection=selection,
        draws=bootstrap,
        seed=seed,
    )
    conclude(out, "retrieval", *result, update_card=update_card)
