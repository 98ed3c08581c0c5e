"""``napari-cellclip derive SCREEN --model MODEL``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from napari_cellclip.cli.options import DeviceOption, ExcludeQualityOption, ScreenArgument, quality_flags
from napari_cellclip.cli.quality import exclusion_line


def derive(
    screen: ScreenArgument,
    model: Annotated[
        str,
        typer.Option(
            show_default=False,
            help="A model folder, such as 'train' wrote, or a name: of the channel encoder of the screen.",
        ),
    ],
    device: DeviceOption = "auto",
    exclude_quality: ExcludeQualityOption = None,
) -> None:
    """Embed a screen's wells with another head.

    No pixel is read. For a head that was trained on the screen's own features. The screen shows it from
    now on; what the former model made stays in the folder, and 'derive' with that one brings it back.

    Example: napari-cellclip derive my-screen --model my-model
    """
    from napari_cellclip.model import load_model
    from napari_cellclip.screen import Screen

    flags = quality_flags(exclude_quality)
    loaded = load_model(model, device=device)
    shown = Screen.open(screen).derive_wells(loaded)
    if flags is not None:
        shown = shown.exclude(flags, loaded)
        print(exclusion_line(shown), file=sys.stderr)
    embedded = int((shown.wells["Metadata_sites"] > 0).sum())
    print(f"{embedded} of {len(shown.well_ids)} wells embedded by {shown.card.name}")
