"""``napari-cellclip evaluate PROTOCOL``: one file for each protocol, registered below by one line."""

from __future__ import annotations

import typer

from napari_cellclip.cli.evaluate.compound_gene import compound_gene
from napari_cellclip.cli.evaluate.query import query
from napari_cellclip.cli.evaluate.query_null import query_null
from napari_cellclip.cli.evaluate.relationships import relationships
from napari_cellclip.cli.evaluate.replicates import replicates
from napari_cellclip.cli.evaluate.retrieval import retrieval
from napari_cellclip.cli.evaluate.simulated import simulated
from napari_cellclip.cli.evaluate.sisters import sisters

evaluate = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure how good a model is.\n\n"
    "Each protocol writes its figures, a table and a picture into one folder; docs/evaluation.md "
    "defines them.\n\n"
    "Example: napari-cellclip evaluate simulated --out figures",
)

evaluate.command("simulated")(simulated)
evaluate.command("retrieval")(retrieval)
evaluate.command("replicates")(replicates)
evaluate.command("sisters")(sisters)
evaluate.command("relationships")(relationships)
evaluate.command("compound-gene")(compound_gene)
evaluate.command("query")(query)
evaluate.command("query-null")(query_null)
