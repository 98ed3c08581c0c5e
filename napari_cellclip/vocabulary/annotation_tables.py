"""Annotation tables that a user installs: compounds with mechanisms, targets and structures.

Read are tables shaped like the Drug Repurposing Hub's (``pert_iname``, ``moa``, ``target``, ``SMILES``; lists
joined by ``|``; comment lines that begin with ``!``) and like the JUMP-Target metadata (``target_list``,
``smiles``). They are kept in the user's cache folder as Parquet, with a JSON file that tells source, date
and licence.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import json
import re
import secrets
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from napari_cellclip.vocabulary.errors import CellClipError, reason_of
from napari_cellclip.vocabulary.mechanism_lists import listed_mechanisms
from napari_cellclip.vocabulary.regular_files import read_json, require_regular

COLUMNS = ("name", "mechanisms", "genes", "smiles", "inchikey")
"""Columns of an installed table, all text; mechanisms and genes are joined by ``|``."""

LARGEST = 300_000_000
"""Bytes of a table after unpacking above which it is refused."""

KNOWN_TABLES = {
    "repurposing-hub": "Drug Repurposing Hub (Corsello et al. 2017, doi:10.1038/nm.4306): fetch the drug and "
    "the sample file from https://repo-hub.broadinstitute.org/repurposing, read its terms there, and install "
    "both: annotations install DRUGS SAMPLES --name repurposing-hub --source ADDRESS --licence TERMS",
    "jump-target": "JUMP-Target (compounds of CPJUMP1 with targets, MIT licence): fetch "
    "JUMP-Target-1_compound_metadata.tsv from https://github.com/jump-cellpainting/JUMP-Target, and install "
    "it: annotations install FILE --name jump-target --source ADDRESS --licence MIT",
}
"""Tables that people often want, and how to get them; none is fetched by this package."""

_ABOUT, _TABLE = "about.json", "table.parquet"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_NAMES: dict[str, tuple[str, ...]] = {
    "name": ("pert_iname", "compound_name", "compound", "drug_name", "drug", "name", "treatment"),
    "mechanisms": ("moa", "mechanism", "mechanism_of_action", "mechanisms", "moa_list"),
    "genes": ("target", "target_list", "targets", "target_gene", "target_genes", "genes"),
    "smiles": ("smiles", "smiles_original", "canonical_smiles", "isomeric_smiles", "smiles_standardized"),
    "inchikey": ("inchikey", "inchi_key", "inchikey_standardized"),
}


@dataclass(frozen=True)
class AnnotationTable:
    """One installed table.

    Attributes
    ----------
    name : str
        Short name; shown as the source of prompts.
    source, licence : str
        Where it comes from and under what terms, as the user stated; empty where nothing was stated.
    installed : str
        Date, ``2026-11-22``.
    files : dict of str to str
        SHA-256 by name of each file it was made from.
    compounds : int
        Rows.
    folder : Path
        Where it is kept.
    """

    name: str
    source: str
    licence: str
    installed: str
    files: dict[str, str]
    compounds: int
    folder: Path

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The table, columns ``name``, ``mechanisms``, ``genes``, ``smiles``, ``inchikey``.

        Raises
        ------
        CellClipError
            If the file is gone or damaged.
        """
        try:
            table = pd.read_parquet(self.folder / _TABLE)
            return table[list(COLUMNS)].fillna("").astype(str)
        except (OSError, ValueError, KeyError) as error:
            raise CellClipError(
                f"the annotation table {self.name!r} in {self.folder} cannot be read "
                f"({type(error).__name__}): remove it and install it again"
            ) from None


def read_annotations(path: Path) -> pd.DataFrame:
    """Read one table file and bring it to the columns of :data:`COLUMNS`; one row a compound.

    Parameters
    ----------
    path : Path
        Comma- or tab-separated text, plain or gzipped.

    Raises
    ------
    CellClipError
        If it is no such table.
    """
    try:
        with require_regular(path).open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        opener = gzip.open if packed else open
        with opener(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        known = ", ".join(KNOWN_TABLES)
        raise CellClipError(f"there is no file {path}, nor a table known by that name ({known})") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CellClipError(
            f"{path} cannot be read ({reason_of(error)}): check the path and the file"
        ) from None
    if len(content) > LARGEST:
        raise CellClipError(
            f"{path.name} is too large for an annotation table: check that it is the right one"
        )
    # The hub's own files begin with lines of comment; elsewhere a ! means nothing.
    lines = _decoded(content).lstrip("\ufeff").splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("!")), len(lines))
    text = "".join(lines[start:])
    head = lines[start] if start < len(lines) else ""
    try:
        table = pd.read_csv(
            io.StringIO(text), sep="\t" if "\t" in head else ",", dtype=str, keep_default_na=False
        )
    except (ValueError, pd.errors.ParserError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CellClipError(
            f"{path.name} is no comma- or tab-separated table ({first}): export it again"
        ) from None
    return _normalised(table, path.name)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _normalised(table: pd.DataFrame, file: str) -> pd.DataFrame:
    plain = {
        re.sub(r"^metadata_", "", str(column).strip().casefold()): column
        for column in reversed(table.columns)
    }
    found = {
        ours: next((plain[name] for name in names if name in plain), None) for ours, names in _NAMES.items()
    }
    if found["name"] is None or all(found[ours] is None for ours in ("mechanisms", "genes", "smiles")):
        have = ", ".join(map(str, table.columns[:8]))
        raise CellClipError(
            f"{file} is no annotation table: it needs a column pert_iname (or compound, name) and one of "
            f"moa, target or SMILES; it has {have}"
        )
    empty = pd.Series("", index=table.index)
    out = pd.DataFrame(
        {
            ours: (table[column].astype(str) if column is not None else empty).fillna("").str.strip()
            for ours, column in found.items()
        }
    )
    out["smiles"] = out["smiles"].str.split(" ").str[0]  # what follows a space is no structure (CXSMILES)
    for column in out.columns:
        out[column] = out[column].where(~out[column].str.casefold().isin(("na", "nan", "none")), "")
    out["mechanisms"] = out["mechanisms"].map(lambda cell: "|".join(listed_mechanisms(cell)))
    out["genes"] = out["genes"].str.replace(r"\s*[;,]\s*", "|", regex=True)
    return merge_annotations([out[out["name"] != ""]])


def merge_annotations(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join tables by compound name, upper and lower case alike; lists unite, the first structure wins."""
    joined: dict[str, dict[str, list[str]]] = {}
    for table in tables:
        for row in zip(*(table[column] for column in COLUMNS), strict=True):
            found = joined.setdefault(row[0].casefold(), {column: [] for column in COLUMNS})
            for column, value in zip(COLUMNS, row, strict=True):
                found[column].append(value)
    rows = [
        [
            _united(found[c]) if c in ("mechanisms", "genes") else next(filter(None, found[c]), "")
            for c in COLUMNS
        ]
        for found in joined.values()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)


def _united(values: Sequence[str]) -> str:
    parts = (part.strip() for value in values for part in value.split("|"))
    return "|".join(dict.fromkeys(part for part in parts if part))


def install_annotations(
    files: Sequence[Path],
    folder: Path,
    *,
    name: str = "",
    source: str = "",
    licence: str = "",
    replace: bool = False,
) -> AnnotationTable:
    """Copy tables into a folder of installed tables as one.

    Parameters
    ----------
    files : sequence of Path
        Joined by compound name: the hub has mechanisms in one file and structures in another.
    folder : Path
        Of installed tables, each in a folder of its own.
    name : str
        Short name; from the first file where nothing is given.
    source, licence : str
        Kept beside it and shown.
    replace : bool
        Whether a table of this name may be overwritten.

    Raises
    ------
    CellClipError
        If a file is no annotation table, or the name is taken or unfit.
    """
    if not files:
        raise CellClipError("no file to install: give the path of an annotation table")
    name = name or re.sub(r"[^a-z0-9_.-]+", "-", files[0].name.casefold().split(".")[0]).strip("-._")[:40]
    target = _folder_of(name, folder)
    if target.exists() and not replace:
        raise CellClipError(
            f"an annotation table {name!r} is installed already: give --replace, or another name with --name"
        )
    rows = merge_annotations([read_annotations(path) for path in files])
    table = AnnotationTable(
        name,
        source,
        licence,
        datetime.date.today().isoformat(),
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        len(rows),
        target,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and moved, so that a table is there whole or not at all.
    made = target.parent / f".new-{secrets.token_hex(4)}"  # tempfile's are for this user's eyes alone
    made.mkdir()
    try:
        rows.to_parquet(made / _TABLE, index=False)
        about = {key: value for key, value in asdict(table).items() if key != "folder"}
        (made / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return table


def installed_annotations(folder: Path) -> tuple[AnnotationTable, ...]:
    """Tables in a folder, by name; what is none is passed over."""
    found = []
    for about in sorted(folder.glob(f"*/{_ABOUT}")):
        if not about.parent.name.startswith("."):
            try:
                found.append(_read_about(about))
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue
    return tuple(found)


def _read_about(path: Path) -> AnnotationTable:
    about = read_json(path)
    files = {str(file): str(sha) for file, sha in about["files"].items()}
    name, source, licence, installed = (str(about[key]) for key in ("name", "source", "licence", "installed"))
    return AnnotationTable(name, source, licence, installed, files, int(about["compounds"]), path.parent)


def remove_annotations(name: str, folder: Path) -> None:
    """Delete an installed table.

    Raises
    ------
    CellClipError
        If none is called that.
    """
    target = _folder_of(name, folder)
    if not (target / _ABOUT).is_file():
        known = ", ".join(table.name for table in installed_annotations(folder)) or "none"
        raise CellClipError(f"no annotation table is called {name!r}; installed: {known}")
    shutil.rmtree(target)


def _folder_of(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise CellClipError(
            f"{name!r} cannot be the name of a table: small letters, digits, '-', '_' and '.', 40 at most"
        )
    return folder / name
