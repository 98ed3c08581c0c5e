"""``napari-cellclip import-published-features FILE``: feature files of the published code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_cellclip.cli.options import DeviceOption


def import_published_features(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            show_default=False,
            help="HDF5 with 'embeddings' and 'well_id' or 'names', as the published CellCLIP code writes it.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", show_default=False, help="Screen folder to write.")],
    captions: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Caption table (CSV with columns ID and prompt)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model that embeds the wells at once, such as cellclip; if not given, train one."),
    ] = None,
    stains: Annotated[
        str,
        typer.Option(
            help="Stain of each of the five rows of a feature, which the file does not say; the default is "
            "that of the Bray features."
        ),
    ] = "Mito,ER,RNA,AGP,DNA",
    encoder: Annotated[
        str, typer.Option(help="What made the features, where no model is given.")
    ] = "facebook/dinov2-giant",
    plate: Annotated[str, typer.Option(help="Name of the plate, for ids that do not name one.")] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Say yes to the licence of the model's weights.")
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Make a screen of published CellCLIP features.

    Without a model the screen can be mapped and trained on; asking it in words waits for 'train'.

    Example: napari-cellclip import-published-features bray.h5 --captions captions.csv --out my-screen
    """
    from napari_cellclip.screen.imports.published_features import import_published_features
    from napari_cellclip.vocabulary import Stain, StainError

    order = []
    for name in stains.split(","):
        stain = next((s for s in Stain if s.value.lower() == name.strip().lower()), None)
        if stain is None:
            raise StainError(f"{name.strip()!r} is not a stain: use {', '.join(Stain)}, each once")
        order.append(stain)
    loaded = None
    if model is not None:
        from napari_cellclip.model import load_model

        loaded = load_model(model, device=device, accept_licence=accept_licence)
    screen = import_published_features(
        file, out, model=loaded, captions=captions, stain_order=tuple(order), encoder=encoder, plate=plate
    )
    wells, plates = len(screen.wells), len(screen.plates)
    print(f"{out}: {wells} wells of {plates} plates, {len(screen.fields)} fields", file=sys.stderr)
    if failed := len(screen.failures):
        print(f"{failed} rows could not be used; they are listed in the screen's failures", file=sys.stderr)
    print(out)
