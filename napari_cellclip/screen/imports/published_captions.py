"""Caption tables of the published CellCLIP code: read, and understood back into what was done to wells."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from napari_cellclip.plates.layouts.published.published_names import parse_published_name
from napari_cellclip.vocabulary import Control, Kind, Perturbation, PlateMapError, ScreenError
from napari_cellclip.vocabulary.user_folders import from_home

_NO_NAME = ("nan", "none", "")
_CELLS = re.compile(r"(?P<cell>.*?)\s*cells treated with (?P<what>.*)", re.DOTALL)


def read_captions(path: str | Path) -> pd.Series:
    """Read a caption table.

    Parameters
    ----------
    path : path
        CSV with a column (or index) ``ID`` and a column ``prompt``, such as the published
        ``cell_long_captions_all.csv``.

    Returns
    -------
    Series of str
        Caption by ID. An ID that comes again keeps its first caption.

    Raises
    ------
    ScreenError
        If the file cannot be read or lacks a column.
    """
    file = from_home(path)
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise ScreenError(f"the captions {file} cannot be read: {error}") from error
    by_name = {str(column).strip().lower(): column for column in table.columns}
    if "id" not in by_name or "prompt" not in by_name:
        raise ScreenError(
            f"{file} is no table of captions: columns ID and prompt are needed, it has "
            f"{', '.join(map(str, table.columns[:6]))}"
        )
    captions = table.set_index(by_name["id"])[by_name["prompt"]].rename("prompt")
    captions.index = captions.index.str.strip()
    return captions[~captions.index.duplicated()]


def captions_of_wells(captions: pd.Series, *, plate: str = "") -> pd.Series:
    """Bring captions from the IDs of fields to well ids (``plate/B03``); the first of a well counts.

    Parameters
    ----------
    captions : Series
        From `read_captions`; IDs of any of the three forms of
        :func:`~napari_cellclip.plates.layouts.published.published_names.parse_published_name`.
    plate : str
        For IDs that name no plate.

    Raises
    ------
    ScreenError
        If no ID is of a known form.
    """
    found: dict[str, str] = {}
    for identifier, text in captions.items():
        try:
            name = parse_published_name(str(identifier))
        except PlateMapError:
            continue
        found.setdefault(f"{name.plate or plate}/{name.well}", text)
    if not found:
        some = f" such as {captions.index[0]!r}" if len(captions) else ""
        raise ScreenError(
            f"none of the {len(captions)} caption IDs{some} names a well: PLATE-WELL-SITE, "
            "PLATE-WELL-rXXcYY-FIELD or EXPERIMENT_PLATE_WELL is expected"
        )
    return pd.Series(found, dtype=object, name="prompt")


def perturbation_of_caption(text: str) -> Perturbation:
    """Read what was done to a well, from its caption in the published wordings.

    The word ``nan`` where a name should be counts as no name. What is not worded like them is kept as the
    name of an unknown treatment.

    Examples
    --------
    >>> found = perturbation_of_caption("U2OS cells treated with compound: butyric acid, SMILES: CCCC(O)=O")
    >>> found.name, found.smiles, found.cell_line
    ('butyric acid', 'CCCC(O)=O', 'U2OS')
    >>> perturbation_of_caption("A549 cells treated with orf, targeting genes: KCNN1").kind
    <Kind.ORF: 'orf'>
    """
    whole = _CELLS.fullmatch(text.strip())
    if whole is None:
        return Perturbation(name=text.strip())
    cell, what = whole["cell"].split(" ")[-1], whole["what"].strip()
    for pattern, made in _FORMS:
        if match := pattern.fullmatch(what):
            return made(cell, {k: _known(v) for k, v in match.groupdict().items()})
    return Perturbation(name=what, cell_line=cell)


def _known(value: str | None) -> str:
    text = (value or "").strip()
    return "" if text.lower() in _NO_NAME else text


def _genes(text: str) -> tuple[str, ...]:
    return tuple(gene for part in re.split(r"[,|;]", text) if (gene := part.strip()))


def _role(text: str) -> Control | None:
    if "poscon" in text:
        return Control.POSITIVE
    return Control.EMPTY if "empty" in text.lower() else Control.NEGATIVE


def _vehicle(cell: str, found: dict[str, str]) -> Perturbation:
    name, smiles = found.get("name", ""), found.get("smiles", "")
    return Perturbation(Kind.CONTROL, name, smiles=smiles, cell_line=cell, control=Control.NEGATIVE)


def _compound(cell: str, found: dict[str, str]) -> Perturbation:
    return Perturbation(Kind.COMPOUND, found.get("name", ""), smiles=found.get("smiles", ""), cell_line=cell)


def _knockout(cell: str, found: dict[str, str]) -> Perturbation:
    genes = _genes(found.get("gene", ""))
    if not genes:  # a guide that targets nothing, or one whose gene the table left out
        control = Control.NEGATIVE if "control" in found.get("guide", "").lower() else None
        return Perturbation(Kind.CRISPR, found.get("guide", ""), cell_line=cell, control=control)
    return Perturbation(Kind.CRISPR, "|".join(genes), genes=genes, cell_line=cell)


def _knockout_control(cell: str, found: dict[str, str]) -> Perturbation:
    return Perturbation(
        Kind.CRISPR, found["guide"], genes=_genes(found["gene"]), cell_line=cell, control=_role(found["role"])
    )


def _expression(cell: str, found: dict[str, str]) -> Perturbation:
    genes = _genes(found["gene"].rstrip("."))
    role = _role(found["role"]) if found.get("role") else None
    return Perturbation(Kind.ORF, "|".join(genes), genes=genes, cell_line=cell, control=role)


_Maker = Callable[[str, dict[str, str]], Perturbation]
_FORMS: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple(
    (re.compile(pattern, re.DOTALL), made)
    for pattern, made in (
        (r"compound: control(?:, (?P<name>.*?))?(?:, SMILES: (?P<smiles>\S*))?", _vehicle),
        (r"control, no treatment\.?", _vehicle),
        (r"compound: (?P<name>.*), SMILES: (?P<smiles>\S*)", _compound),
        (r"SMILES: (?P<smiles>\S*)", _compound),
        (r"compound[:,] (?P<name>.*)", _compound),
        (
            r"crispr sequence: (?P<guide>[^,]*), (?P<role>(?:control|trt|empty)\b[^,]*)"
            r"(?:, targeting genes: (?P<gene>.*))?",
            _knockout_control,
        ),
        (r"crispr sequence: (?P<guide>[^,]*)(?:, targeting genes: (?P<gene>.*))?", _knockout),
        (r"crispr ?, ?targeting genes: (?P<gene>.*)", _knockout),
        (r"orf(?: control (?P<role>[^,]*))?, targeting genes: (?P<gene>.*)", _expression),
    )
)
