"""The program ``napari-cellclip``: its verbs, and what it says when one of them fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import typer
from typer.core import TyperGroup

from napari_cellclip.cli.ablate import ablate
from napari_cellclip.cli.annotations import annotation_tables
from napari_cellclip.cli.ask import ask
from napari_cellclip.cli.check import check, repair
from napari_cellclip.cli.correct import correct
from napari_cellclip.cli.demo import demo
from napari_cellclip.cli.derive import derive
from napari_cellclip.cli.encode import encode
from napari_cellclip.cli.evaluate import evaluate
from napari_cellclip.cli.gallery import gallery
from napari_cellclip.cli.import_profiles import import_profiles
from napari_cellclip.cli.import_published_features import import_published_features
from napari_cellclip.cli.info import info
from napari_cellclip.cli.models import models
from napari_cellclip.cli.quality import quality
from napari_cellclip.cli.references import references
from napari_cellclip.cli.simulate import simulate
from napari_cellclip.cli.terminal import INTERRUPTED, printing_safely, second_interrupt_ends_at_once
from napari_cellclip.cli.train import train
from napari_cellclip.cli.version import version
from napari_cellclip.vocabulary.errors import CellClipError

DEBUG = "NAPARI_CELLCLIP_DEBUG"
"""Environment variable that lets the traceback of a refusal through, for developers."""

AFTER_INTERRUPT = {
    "ablate": "what is trained is kept: the same command goes on from the last finished epoch",
    "demo": "what is encoded is kept: the same command goes on from there",
    "repair": "what is made again is kept: the same command goes on from there",
    "encode": "what is encoded is kept: the same command goes on from there",
    "gallery": "what is fetched is kept: the same command goes on from there",
    "simulate": "no plate was written",
    "train": "the same command goes on from the last finished epoch",
}


class Verbs(TyperGroup):
    """The group of verbs; turns what they raise into one sentence on stderr and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Verbs as they were added, those with sub-verbs at the end."""
        return sorted(
            super().list_commands(ctx), key=lambda name: isinstance(self.commands[name], TyperGroup)
        )

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Run the program; Ctrl-C is handled where this is all that runs, not in calls by other code."""
        with second_interrupt_ends_at_once() if args is None else nullcontext():
            return super().main(args, *others, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb: 1 for what the package or the disk refuses, 130 for Ctrl-C, 2 (click's) for usage."""
        with printing_safely():
            return self._invoked(ctx)

    def _invoked(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            hint = AFTER_INTERRUPT.get(ctx.invoked_subcommand or "")
            print("\nstopped" + (f"; {hint}" if hint else ""), file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise  # `napari-cellclip ask … | head` ends in click's own quiet way
        except (CellClipError, OSError) as error:
            if os.environ.get(DEBUG):
                raise
            print(f"napari-cellclip: {error}", file=sys.stderr)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text: paragraphs wrap, and logs stay readable
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask Cell Painting plates in words.\n\n"
    "Start with 'napari-cellclip demo'. With a plate of your own: 'info' shows what was found on disk, "
    "'encode' turns its images into embeddings, 'ask' ranks its wells by a sentence.",
)

for verb in (
    demo,
    simulate,
    info,
    encode,
    import_profiles,
    import_published_features,
    ask,
    train,
    ablate,
    derive,
    quality,
    correct,
    check,
    repair,
    version,
):
    app.command()(verb)
app.add_typer(gallery, name="gallery")
app.add_typer(models, name="models")
app.add_typer(annotation_tables, name="annotations")
app.add_typer(references, name="references")
app.add_typer(evaluate, name="evaluate")
