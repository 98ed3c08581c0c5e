"""``napari-cellclip info PLATE``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_cellclip.cli.options import (
    ChannelOption,
    ImageRootOption,
    JsonOption,
    NameOption,
    PatternOption,
    PlateArgument,
    ProjectionOption,
    TimeOption,
    channel_mapping,
)

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.plates.acquisition import Problem
    from napari_cellclip.plates.stain_mapping import StainMapping
    from napari_cellclip.vocabulary import Stain

SHOWN = 12
"""Most problems that are printed, so that a page holds it all."""


def info(
    plate: PlateArgument,
    channel: ChannelOption = None,
    pattern: PatternOption = None,
    image_root: ImageRootOption = None,
    plate_name: NameOption = None,
    time: TimeOption = None,
    projection: ProjectionOption = "max",
    as_json: JsonOption = False,
) -> None:
    """Say what a plate on disk holds.

    Layout, wells, sites, which channel is which stain and how that is known, and everything that
    would stand in the way of encoding or is odd; a few sites are read for that.

    Example: napari-cellclip info ~/plates/BR00117010
    """
    from napari_cellclip.plates import open_plate
    from napari_cellclip.plates.inspection import inspect

    opened = open_plate(
        plate,
        channels=channel_mapping(channel),
        pattern=pattern,
        image_root=image_root,
        name=plate_name,
        time=time,
        projection=projection,  # type: ignore[arg-type]
    )
    odd = inspect(opened)
    print(json.dumps(facts(opened, odd), indent=2) if as_json else describe(opened, odd))


def facts(plate: Plate, odd: tuple[Problem, ...] = ()) -> dict[str, Any]:
    """Return what ``info --json`` prints."""
    stains = plate.stains
    return {
        "name": plate.name,
        "path": plate.address,
        "layout": plate.layout,
        "shape": list(plate.shape),
        "pixel_size": plate.pixel_size,
        "projection": plate.processing.projection,
        "wells": [
            {"id": well.id, "sites": [site.id for site in well.sites], "known": well.known}
            for well in plate.wells
        ],
        "n_wells": len(plate.wells),
        "n_sites": len(plate.sites),
        "stains": {
            stain.value: {"channel": name, "source": stains.sources.get(stain, "")}
            for stain, name in stains.channels.items()
        },
        "ignored": dict(stains.ignored),
        "unmapped": list(stains.unmapped),
        "proposals": [
            {"channels": {s.value: c for s, c in p.channels.items()}, "reason": p.reason}
            for p in stains.proposals
        ],
        "missing": [stain.value for stain in stains.missing],
        "complete": stains.complete,
        "problems": [
            {"subject": problem.subject, "what": problem.what} for problem in (*plate.problems, *odd)
        ],
    }


def confirmed_option(plate: Plate) -> str:
    """Options that map stains as the user confirmed in the window for a plate of the same kind, or nothing.

    The terminal never takes them by itself: a command must mean the same on every computer.
    """
    from napari_cellclip.gui.recent import confirmed_stains

    known = None if plate.stains.complete else confirmed_stains(plate)
    if known is None:
        return ""
    return f"{_options(known.channels)} (as you confirmed in the window for {known.plate})"


def _options(channels: Mapping[Stain, str]) -> str:
    return " ".join(f"--channel {shlex.quote(f'{stain}={name}')}" for stain, name in channels.items())


def _proposed(stains: StainMapping) -> list[str]:
    """Lines with the options that confirm what the channels probably are."""
    return [
        line
        for proposal in stains.proposals
        for line in (f"    probably: {_options(proposal.channels)}", f"      ({proposal.reason})")
    ]


def describe(plate: Plate, odd: tuple[Problem, ...] = ()) -> str:
    """Return what ``info`` prints for people."""
    from napari_cellclip.vocabulary import STAINS

    rows, columns = plate.shape
    per_well = sorted({len(well.sites) for well in plate.wells})
    sites = (
        f"{per_well[0]}" if len(per_well) == 1 else f"{per_well[0]} to {per_well[-1]}" if per_well else "no"
    )
    pixel = f"{plate.pixel_size:g} µm" if plate.pixel_size else "not stated in the files"
    lines = [
        f"Plate {plate.name}  ({plate.address})",
        f"  layout      {plate.layout}",
        f"  wells       {len(plate.wells)} of {rows * columns} ({rows} x {columns}), "
        f"{sites} {'site' if sites == '1' else 'sites'} each, {len(plate.sites)} sites in all",
        f"  pixel size  {pixel}",
        "  stains",
    ]
    stains = plate.stains
    # While channels are unmapped, a stain without one may well be among them.
    absent = "not known" if stains.unmapped else "missing"
    for stain in STAINS:
        channel, source = stains.channels.get(stain), stains.sources.get(stain, "source unknown")
        lines.append(f"    {stain.value:<5} " + (f"{channel}  ({source})" if channel is not None else absent))
    if stains.unmapped:
        lines.append(f"    channels without a stain: {', '.join(stains.unmapped)}")
        if confirmed := confirmed_option(plate):
            lines.append(f"    {confirmed}")
        lines += _proposed(stains) or [
            f"    say which stain each is: --channel STAIN={stains.unmapped[0]} and so on"
        ]
    lines += [f"    {name} left out: {why}" for name, why in stains.ignored.items()]
    unknown = [well for well in plate.wells if not well.known]
    if unknown:
        lines.append(f"  {len(unknown)} of the wells are not named by the files and have an id of their own")
    problems = (*plate.problems, *odd)
    if problems:
        lines.append(f"  problems ({len(problems)})")
        shown = problems if len(problems) <= SHOWN else (*plate.problems[: SHOWN - len(odd)], *odd)
        lines += [f"    {problem.subject}: {problem.what}" for problem in shown]
        if more := len(problems) - len(shown):
            lines.append(f"    and {more} more: --json lists them all")
    else:
        lines.append("  problems    none")
    return "\n".join(lines)
