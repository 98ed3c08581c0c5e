"""NumPy archives as the published CellCLIP and CLOOME code keeps images, one field in each file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
    site_number,
)
from napari_cellclip.plates.images.npz import NpzPlane, npz_header, npz_keys
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.layouts.files import files_under, first_files, refused_links
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.published.published_names import (
    Dataset,
    PublishedName,
    parse_published_name,
)
from napari_cellclip.vocabulary import PlateError, PlateMapError, parse_well

LOOKED_AT = 20
"""How many archives are opened to see whether a folder is one of images."""

LOOKED_THROUGH = 20_000
"""Directory entries looked at for archives before a folder is given up."""

KEYS = {"sample": 2, "images": 0}
"""Names of the image array, with the axis of its channels."""


@dataclass(frozen=True)
class _Order:
    """Stains of the channels of an array, which the files themselves do not name."""

    stains: tuple[str, ...]
    source: str
    left_out: str = ""


# Bray: the preparation of CLOOME, whose archives these are, sorts the plate's folders to Mito, ERSyto,
# ERSytoBleed, Ph_golgi, Hoechst. CP-JUMP1: the instrument's channels 1 to 5. RxRx3: its images 1 to 6.
ORDERS: dict[Dataset, _Order] = {
    "bray": _Order(("Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"), "order of CLOOME's archives"),
    "jump": _Order(
        ("Alexa 647", "Alexa 568", "488 long", "Alexa 488", "Hoechst"), "order of the instrument's channels"
    ),
    "rxrx3": _Order(
        ("Hoechst", "ConA", "phalloidin", "SYTO 14", "MitoTracker", "WGA"),
        "order of RxRx3-core's images",
        "WGA",
    ),
}


def detect(path: Path, options: Options) -> Match | None:
    """Find such an archive at ``path``, or among the first few of a folder; its list of arrays is read."""
    if path.is_file():
        return Match(path, Strength.IMAGES) if _is_archive(path.name) and _is_image(path) else None
    names, _ = first_files(path, LOOKED_THROUGH)
    archives = [path / name for name in names if _is_archive(name.rpartition("/")[2])]
    return Match(path, Strength.NAMES) if any(map(_is_image, archives[:LOOKED_AT])) else None


def read(path: Path, options: Options) -> Acquisition:
    """Read wells and sites from the names of archives; of one of them the header is read.

    Parameters
    ----------
    path : Path
        Folder with archives at any depth, or one archive.
    options : Options
        ``name`` chooses a plate if names or folders name several.

    Raises
    ------
    PlateError
        If no name can be read, or there are several plates and none was chosen.
    """
    root = path if path.is_dir() else path.parent
    files, refused = files_under(path) if path.is_dir() else ([path], [])
    problems = refused_links(refused)
    named, strange = _named([f for f in files if _is_archive(f.name)], root)
    if not named:
        raise PlateError(
            f"no archive under {root} is named as a field of a plate (a file is called "
            f"{strange[0].name!r}): expected PLATE-WELL-SITE.npz, rXXcYY-WELL-FIELD.npz or "
            "EXPERIMENT_PlateN_WELL.npz"
        )
    if strange:
        some = ", ".join(f.name for f in strange[:3]) + (", …" if len(strange) > 3 else "")
        problems.append(
            Problem("file names", f"{len(strange)} archives are not named as fields and are left out: {some}")
        )
    plate, chosen = _of_one_plate(named, options.name, root)
    dataset = Counter(name.dataset for name in chosen.values()).most_common(1)[0][0]
    key, axis, count = _array(chosen)
    channels, remark = _channels(dataset, count)
    problems.append(Problem(plate, remark))
    fields, twice = _fields(chosen, channels, key, axis, count)
    problems += twice
    require_fields(fields, path)
    return Acquisition(
        name=plate,
        path=path,
        layout="npz",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(channels),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def _is_archive(name: str) -> bool:
    return name.endswith(".npz") and not name.startswith(".")


def _is_image(path: Path) -> bool:
    try:
        parse_published_name(path.stem)
    except PlateMapError:
        return False
    return any(key in KEYS for key in npz_keys(path))


def _named(files: list[Path], root: Path) -> tuple[dict[Path, PublishedName], list[Path]]:
    named: dict[Path, PublishedName] = {}
    strange = []
    for file in files:
        try:
            found = parse_published_name(file.stem)
        except PlateMapError:
            strange.append(file)
            continue
        folder = plate_name(file.parent if file.parent != root else root)
        named[file] = PublishedName(found.dataset, found.plate or folder, found.well, found.site)
    return named, strange


def _of_one_plate(
    named: dict[Path, PublishedName], wanted: str | None, root: Path
) -> tuple[str, dict[Path, PublishedName]]:
    plates = list(dict.fromkeys(name.plate for name in named.values()))
    if wanted in plates:
        return clean_name(str(wanted)), {f: n for f, n in named.items() if n.plate == wanted}
    if len(plates) > 1:
        listed = ", ".join(plates[:10]) + (", …" if len(plates) > 10 else "")
        raise PlateError(f"{root} holds {len(plates)} plates: choose one with name= ({listed})")
    return clean_name(wanted or plates[0]), named


def _array(named: dict[Path, PublishedName]) -> tuple[str, int, int]:
    """Name of the image array, axis and number of its channels, from the first archive that can be read."""
    fault: PlateError | None = None
    for file in islice(named, LOOKED_AT):
        try:
            key = next(key for key in npz_keys(file) if key in KEYS)
            shape, _ = npz_header(file, key)
            return key, KEYS[key], shape[KEYS[key]]
        except StopIteration:
            fault = PlateError(f"{file.name} holds neither an array 'sample' nor 'images'")
        except (PlateError, IndexError) as error:
            fault = PlateError(str(error))
    raise fault or PlateError("no archive can be read")


def _channels(dataset: Dataset, count: int) -> tuple[list[Channel], str]:
    order = ORDERS[dataset]
    if count != len(order.stains):
        names = [f"channel {i + 1}" for i in range(count)]
        return [Channel(name, "position in the array", i) for i, name in enumerate(names)], (
            f"the arrays have {count} channels and do not name their stains: pass channels= (on "
            "the command line --channel)"
        )
    channels = [
        Channel(
            f"channel {i + 1}",
            order.source,
            i,
            aliases=() if stain == order.left_out else (stain,),
            unstained="wheat germ agglutinin: phalloidin alone stands for AGP, as in the published code"
            if stain == order.left_out
            else "",
        )
        for i, stain in enumerate(order.stains)
    ]
    return channels, (
        f"the arrays do not name their channels: by the {order.source} they are taken for "
        f"{', '.join(order.stains)}; if that is wrong, pass channels= (on the command line --channel)"
    )


def _fields(
    named: dict[Path, PublishedName], channels: list[Channel], key: str, axis: int, count: int
) -> tuple[list[Field], list[Problem]]:
    fields: dict[tuple[str, int | str], Field] = {}
    problems = []
    for file, name in named.items():
        site = site_number(name.site or "1")
        planes: dict[str, tuple[Plane, ...]] = {
            channel.name: (NpzPlane(file, key, i, axis, count),) for i, channel in enumerate(channels)
        }
        if (before := fields.get((name.well, site))) is not None:
            first = next(iter(before.planes.values()))[0].file.name
            problems.append(Problem(file.name, f"is the same field as {first} and is left out"))
            continue
        row, column = parse_well(name.well)
        fields[name.well, site] = Field(row, column, name.well, site, planes)
    return list(fields.values()), problems


LAYOUT = Layout("npz", detect, read, Strength.NAMES)
