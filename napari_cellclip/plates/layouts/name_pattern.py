"""Read well, site and channel from the names of image files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from napari_cellclip.vocabulary import (
    CellClipError,
    PlateError,
    Stain,
    is_unstained,
    normalise_well,
    well_name,
)

# What each placeholder of a pattern stands for.
_PLACEHOLDERS = {
    "well": r"(?P<well>[A-Za-z]{1,2}-?\d{1,2}|[rR]\d{1,2}[-_]?[cC]\d{1,2})",
    "row": r"(?P<row>[A-Za-z]{1,2}|\d{1,2})",
    "column": r"(?P<column>\d{1,2})",
    "site": r"(?P<site>\d+)",
    "channel": r"(?P<channel>[^/]+?)",
    "plane": r"(?P<plane>\d+)",
    "time": r"(?P<time>\d+)",
    "plate": r"(?P<plate>[^/]+?)",
    "any": r".*?",
}

_ENDINGS = r"(?:tiff?|png|jpe?g|jp2|j2k)"
_GAP = r"[/_\-. ]+"
_BEFORE = rf"(?:(?P<rest>.*?){_GAP})??"
_TIME = r"(?:[_\- ]?t(?P<time>\d{1,5}))?"
_SITE = r"(?:site|field|fov|pos|xy|img|s|f)[_\- ]?(?P<site>\d+)"
_PLANE = r"(?:[_\- ]?z(?P<plane>\d+))?"
_CODE = r"(?:channel|chan|ch|c|w)[_\- ]?\d{1,2}"
_WORDS = r"[^/]+?"
_CHANNEL = rf"(?P<channel>{_CODE}|{_WORDS})"

# Guesses, most telling first: a name that could be read by two is read by the earlier. Each has the form in
# which it is reported, and the expression for the path without its ending.
_WELL = rf"(?:well[_\- ]?)?{_PLACEHOLDERS['well']}"
_GUESSES: tuple[tuple[str, str], ...] = (
    (
        "{well}_s{site}_{channel}",
        f"{_BEFORE}{_WELL}{_GAP}{_SITE}{_TIME}{_PLANE}{_GAP}{_CHANNEL}{_PLANE.replace('plane', 'plane2')}",
    ),
    ("{well}_{channel}_s{site}", f"{_BEFORE}{_WELL}{_GAP}{_CHANNEL}{_GAP}{_SITE}{_PLANE}"),
    ("{well}_{site}_{channel}", f"{_BEFORE}{_WELL}{_GAP}(?P<site>\\d{{1,4}}){_GAP}{_CHANNEL}"),
    ("{well}_{channel}_{site}", f"{_BEFORE}{_WELL}{_GAP}{_CHANNEL}{_GAP}(?P<site>\\d{{1,4}})"),
    ("{well}_s{site}", f"{_BEFORE}{_WELL}{_GAP}{_SITE}{_PLANE}{_TIME}"),
    ("{well}_{site}", f"{_BEFORE}{_WELL}{_GAP}(?P<site>\\d{{1,4}})"),
    ("{well}_{channel}", f"{_BEFORE}{_WELL}{_GAP}{_CHANNEL}"),
    ("{channel}_{well}", f"(?:{_CHANNEL}){_GAP}{_WELL}"),
    ("{well}", f"{_BEFORE}{_WELL}(?:{_GAP}(?P<site>\\d{{1,4}}))?"),
    # Columbus: 002003-1.tif has row, column and field, and all channels in one file.
    ("{well}-{site}", r"(?P<rest>.*/)?(?P<row>\d{3})(?P<column>\d{3})-(?P<site>\d{1,4})"),
    ("{field}_s{site}_{channel}", f"{_BEFORE}{_SITE}{_GAP}{_CHANNEL}"),
    ("{field}_{channel}", f"{_BEFORE}{_CHANNEL}"),
    ("{field}", r"(?P<rest>.+)"),
)

# MetaXpress appends a GUID to its channel code: w1BEDC2073-A983-4B98-95E9-84466707A25D.
_GUID = re.compile(r"(?<=\d)\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?$")


@dataclass(frozen=True, slots=True)
class Parsed:
    """Well, site, channel, plane and time point of one file name; empty, 0 or 1 if it has none."""

    well: str = ""
    site: int = 0
    channel: str = ""
    plane: int = 0
    rest: str = ""
    time: int = 1


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A way to read file names.

    Attributes
    ----------
    text : str
        The pattern as it is shown.
    expression : re.Pattern
        Matches a whole path without its ending.
    strict : bool
        Whether the channel must be a stain's name or a code such as ``ch3`` (for guesses).
    """

    text: str
    expression: re.Pattern[str]
    strict: bool = False

    @classmethod
    def compile(cls, text: str) -> NamePattern:
        """Make a pattern from a user's template or regular expression.

        Parameters
        ----------
        text : str
            A template such as ``"{plate}_{well}_s{site}_{channel}"``, with the placeholders ``well`` (or
            ``row`` and ``column``), ``site``, ``channel``, ``plane``, ``time``, ``plate`` and ``any``; or a
            regular expression with groups of these names. Matched against the end of the path below the
            plate's folder, without ``.tif``.

        Raises
        ------
        PlateError
            If it is malformed or names an unknown placeholder.

        Examples
        --------
        >>> NamePattern.compile("{well}_s{site}_{channel}").parse("B3_s2_DAPI.tif")
        Parsed(well='B03', site=2, channel='DAPI', plane=0, rest='', time=1)
        """
        written = "(?P<" in text  # as a regular expression
        body = re.sub(rf"\\?\.{_ENDINGS}\$?$", "", text) if written else _from_template(stem(text))
        try:
            return cls(text, re.compile(rf"(?:.*/)?(?:{body})"))
        except re.error as error:
            raise PlateError(
                f"pattern {text!r} cannot be understood ({error}): "
                "write it like '{well}_s{site}_{channel}'"
            ) from None

    def parse(self, name: str) -> Parsed | None:
        """Read the path of one image, ``None`` if it does not fit."""
        match = self.expression.fullmatch(stem(name))
        if not match:
            return None
        found = {key: value or "" for key, value in match.groupdict().items()}
        channel = _GUID.sub("", found.get("channel", "")).strip("_-. ")
        if self.strict and channel and not _is_channel(channel):
            return None
        try:
            well = _well(found)
        except CellClipError:
            return None
        plane = found.get("plane") or found.get("plane2") or "0"
        site = found.get("site") or "0"
        time = found.get("time") or "1"
        if not (plane + site + time).isdecimal():
            return None
        return Parsed(well, int(site), channel, int(plane), found.get("rest", "").strip("_-. /"), int(time))


def stem(name: str) -> str:
    """Remove ``.tif``, ``.ome.tif``, ``.png`` and the like from the path of an image."""
    return re.sub(rf"(\.ome)?\.{_ENDINGS}$", "", name, flags=re.IGNORECASE)


def guess_pattern(names: list[str]) -> NamePattern:
    """Guess the pattern of a folder's file names.

    Of the readings that find wells, the one that fits most names and keeps the files apart wins, the earlier
    in case of a tie. Only if none fits half of them are the names taken to hold no wells.

    Parameters
    ----------
    names : list of str
        Paths below the plate's folder.

    Returns
    -------
    NamePattern
    """
    patterns = [NamePattern(t, re.compile(e, re.IGNORECASE), strict=True) for t, e in _GUESSES]
    sample = names[:: len(names) // 1000 + 1]
    fits = [_fit(pattern, sample) for pattern in patterns]
    with_wells = [fit for fit, (text, _) in zip(fits, _GUESSES, strict=True) if "{well}" in text]
    best = max(with_wells) if max(with_wells) >= 0.5 else max(fits)
    return patterns[fits.index(best)]


def _fit(pattern: NamePattern, names: list[str]) -> float:
    """Compute the share of the names that a pattern reads, two that it reads alike counting once."""
    read = [parsed for name in names if (parsed := pattern.parse(name))]
    return len(set(read)) / max(len(names), 1)


def _from_template(text: str) -> str:
    parts = re.split(r"\{(\w+)\}", text)
    body = ""
    seen: set[str] = set()
    for i, part in enumerate(parts):
        if i % 2 == 0:
            body += re.escape(part).replace(r"\*", ".*?")
        elif part not in _PLACEHOLDERS:
            known = ", ".join(f"{{{p}}}" for p in _PLACEHOLDERS)
            raise PlateError(f"pattern {text!r} has an unknown placeholder {{{part}}}: use {known}")
        elif part in seen and part != "any":
            raise PlateError(
                f"pattern {text!r} has {{{part}}} twice: keep one and write {{any}} for the other"
            )
        else:
            body += _PLACEHOLDERS[part]
            seen.add(part)
    return body


@lru_cache(maxsize=4096)  # a plate has a dozen channels and ten thousand files
def _is_channel(text: str) -> bool:
    code = re.fullmatch(rf"{_CODE}|\d{{1,2}}", text, re.IGNORECASE)
    return bool(code) or Stain.recognise(text) is not None or is_unstained(text)


def _well(found: dict[str, str]) -> str:
    if text := found.get("well"):
        return normalise_well(text)
    row, column = found.get("row"), found.get("column")
    if not row or not column:
        return ""
    return well_name(int(row) - 1, int(column) - 1) if row.isdecimal() else normalise_well(row + column)
