"""The compounds of a screen: their wells, structures, targets and mechanisms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError, Kind
from napari_cellclip.vocabulary.identity import role_of


@dataclass(frozen=True)
class Compound:
    """One compound of a screen.

    Attributes
    ----------
    name : str
        As the plate map has it.
    smiles : str
        Structure of its first well.
    mechanisms, genes : tuple of str
        What its plate map says, parted at ``|``.
    wells : tuple of str
        Ids of its wells that have features, over all plates.
    """

    name: str
    smiles: str
    mechanisms: tuple[str, ...]
    genes: tuple[str, ...]
    wells: tuple[str, ...]


def compounds_of(screen: Screen) -> tuple[Compound, ...]:
    """Compounds with features, by name; negative controls are none.

    Raises
    ------
    CellClipError
        If there are none.
    """
    table = screen.wells
    with_features = set(screen.fields["Metadata_Well_id"])
    rows = table[[well in with_features for well in table.index]]
    treated = rows[
        [
            role_of(row) == "treatment" and row["Metadata_kind"] == Kind.COMPOUND and bool(row[_NAME])
            for _, row in rows.iterrows()
        ]
    ]
    found = []
    for name, wells in treated.groupby(_NAME, sort=True):
        first = wells.iloc[0]
        found.append(
            Compound(
                name=str(name),
                smiles=str(first["Metadata_smiles"]),
                mechanisms=_parts(first["Metadata_mechanism"]),
                genes=_parts(first["Metadata_genes"]),
                wells=tuple(map(str, wells.index)),
            )
        )
    if not found:
        raise CellClipError(
            f"screen {screen.name} has no compound with a name and features: give it a plate map that names"
            " treatments"
        )
    return tuple(found)


def mechanisms_of(compounds: Sequence[Compound], *, least: int = 3) -> tuple[str, ...]:
    """Mechanisms that at least so many compounds have, in alphabetic order."""
    count = Counter(mechanism for compound in compounds for mechanism in compound.mechanisms)
    return tuple(sorted(mechanism for mechanism, n in count.items() if n >= least))


_NAME = "Metadata_treatment"


def _parts(text: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in str(text).split("|") if part.strip()))
