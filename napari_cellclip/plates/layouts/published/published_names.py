"""Names of fields and wells as the published CellCLIP code writes them, in files and in tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from napari_cellclip.vocabulary import PlateMapError, normalise_well

Dataset = Literal["bray", "jump", "rxrx3"]

_WELL = r"(?P<well>[A-Za-z]{1,2}\d{1,2})"
_PLACE = r"(?P<place>[rR]\d{1,2}[cC]\d{1,2})"
_SITE = r"(?:-(?P<site>\w+))?"
_FORMS: tuple[tuple[Dataset, re.Pattern[str]], ...] = (
    ("jump", re.compile(rf"(?P<plate>[^/\\]+)-{_WELL}-{_PLACE}{_SITE}")),
    ("jump", re.compile(rf"{_PLACE}-{_WELL}{_SITE}")),
    ("jump", re.compile(rf"{_WELL}-{_PLACE}{_SITE}")),
    ("rxrx3", re.compile(rf"(?P<experiment>[^/\\]+)_(?:Plate)?(?P<number>\d+)_{_WELL}(?:_s(?P<site>\d+))?")),
    ("bray", re.compile(rf"(?P<plate>[^/\\]+)-{_WELL}(?:-(?P<site>\d+))?")),
)


@dataclass(frozen=True)
class PublishedName:
    """A field or well of the published data sets by its name.

    Attributes
    ----------
    dataset : {"bray", "jump", "rxrx3"}
        Whose way of naming it is.
    plate : str
        Empty where the name does not say it (single files of CP-JUMP1, which lie in a folder a plate).
    well : str
        In this package's spelling, ``"B03"``.
    site : str
        Empty for a well.
    """

    dataset: Dataset
    plate: str
    well: str
    site: str = ""


def parse_published_name(text: str) -> PublishedName:
    """Read plate, well and site from a name.

    Parameters
    ----------
    text : str
        ``PLATE-WELL-SITE`` (Bray 2017), ``PLATE-WELL-rXXcYY-FIELD`` or ``rXXcYY-WELL-FIELD`` (CP-JUMP1), or
        ``EXPERIMENT_N_WELL``, in file names ``EXPERIMENT_PlateN_WELL`` (RxRx3-core); the last part may be
        missing, which names the well.

    Raises
    ------
    PlateMapError
        If it is none of these, or names two different wells.

    Examples
    --------
    >>> parse_published_name("24277-a01-1")
    PublishedName(dataset='bray', plate='24277', well='A01', site='1')
    >>> parse_published_name("BR00117010-B03-r02c03-4").site
    '4'
    >>> parse_published_name("gene-001_Plate2_AA07").plate
    'gene-001_2'
    """
    for dataset, form in _FORMS:
        if match := form.fullmatch(text.strip()):
            found = match.groupdict()
            well = normalise_well(found["well"])
            if found.get("place") and normalise_well(found["place"]) != well:
                raise PlateMapError(
                    f"{text!r} names two wells, {well} and {normalise_well(found['place'])}: correct it"
                )
            plate = found.get("plate") or ""
            if dataset == "rxrx3":
                plate = f"{found['experiment']}_{found['number']}"
            return PublishedName(dataset, plate, well, found["site"] or "")
    raise PlateMapError(
        f"{text!r} is no name of the published data sets: expected PLATE-WELL-SITE, PLATE-WELL-rXXcYY-FIELD "
        "or EXPERIMENT_PLATE_WELL"
    )
