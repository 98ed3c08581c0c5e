"""RxRx1 and RxRx3 (rxrx.ai): ``HUVEC-01/Plate1/B02_s1_w1.png`` or ``gene-001/Plate1/AA02_s1_1.jp2``.

Images have 8 bits and six channels, which the files do not name: their order is published. The sixth, wheat
germ agglutinin, has no place among the five stains and is left out, so that phalloidin alone stands for AGP.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Problem,
    clean_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.layouts.files import first_files, is_picture
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    fields_of,
    files_of,
    named_wells,
    unread_names,
)
from napari_cellclip.vocabulary import PlateError

LOOKED_AT = 2000
"""Entries looked at for images of such names."""

_ORDER = ("Hoechst", "ConA", "phalloidin", "SYTO 14", "MitoTracker", "WGA")
_NAME = re.compile(
    r"(?P<well>[A-Z]{1,2}\d{1,2})_s(?P<site>\d{1,2})_w?(?P<channel>[1-6])\.(?:png|jp2)",
    re.IGNORECASE | re.ASCII,
)
_PLATE = re.compile(r"Plate_?(\d{1,4})", re.IGNORECASE | re.ASCII)
_EXPERIMENT = re.compile(r"[A-Za-z0-9]{1,20}-\d{1,4}", re.ASCII)


def detect(path: Path, options: Options) -> Match | None:
    """Find such names in a folder ``PlateN`` of an experiment; without the folder the order is not known."""
    if not path.is_dir():
        return None
    names = [n for n in first_files(path, LOOKED_AT)[0] if is_picture(n.rpartition("/")[2])]
    fit = [n for n in names if _NAME.fullmatch(n.rpartition("/")[2]) and _plate(path / n)]
    return Match(path, Strength.NAMES) if fit and len(fit) * 2 >= len(names) else None


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, sites and channels from the names of files; no image is opened.

    Parameters
    ----------
    path : Path
        Folder of a plate, an experiment, or of several.
    options : Options
        ``name`` chooses a plate (``"HUVEC-01_1"``) or renames the only one.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen.
    """
    files, problems = files_of(path)
    plates, strange = parse_names(f for f in files if is_picture(f.name))
    problems += unread_names(strange, "RxRx")
    if options.name not in plates and len(plates) > 1:
        listed = ", ".join(sorted(plates)[:8]) + (", …" if len(plates) > 8 else "")
        raise PlateError(f"{path} holds {len(plates)} plates: choose one with name= ({listed})")
    name = options.name if options.name in plates else next(iter(plates), "plate")
    fields = fields_of(plates.get(name, []))
    require_fields(fields, path)
    order = ", ".join(_ORDER)
    what = (
        f"the files do not name their channels: by the published order of RxRx they are taken for "
        f"{order}; WGA is left out; if that is wrong, pass channels= (on the command line --channel)"
    )
    return Acquisition(
        name=clean_name(options.name or name),
        path=path,
        layout="rxrx",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(_channels()),
        fields=tuple(fields),
        problems=(*problems, Problem(name, what)),
    )


def parse_names(files: Iterable[Path]) -> tuple[dict[str, list[NamedImage]], list[Path]]:
    """Read the names of files by plate, and list those of which that is not possible."""
    plates: dict[str, list[NamedImage]] = defaultdict(list)
    named, strange = named_wells(files, _NAME)
    for file, well, match in named:
        if plate := _plate(file):
            plates[plate].append(NamedImage(file, well, int(match["site"]), f"w{match['channel']}"))
        else:
            strange.append(file)
    return dict(plates), strange


def _plate(file: Path) -> str:
    """Name of the plate as the tables of RxRx have it, ``"HUVEC-01_1"``; empty outside of such folders."""
    number, experiment = _PLATE.fullmatch(file.parent.name), file.parent.parent.name
    return f"{experiment}_{number[1]}" if number and _EXPERIMENT.fullmatch(experiment) else ""


def _channels() -> list[Channel]:
    return [
        Channel(
            f"w{i + 1}",
            "published order of RxRx",
            i + 1,
            aliases=(dye,) if dye != "WGA" else (),
            unstained="wheat germ agglutinin: phalloidin alone stands for AGP" if dye == "WGA" else "",
        )
        for i, dye in enumerate(_ORDER)
    ]


LAYOUT = Layout("rxrx", detect, read, Strength.NAMES)
