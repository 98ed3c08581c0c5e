"""What a trained head is compared with: scores that need no training, or no cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.profiles.compounds import Compound
from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError

RADIUS, BITS = 2, 2048


def nearest_profiles(
    tested: NDArray[np.floating],
    known: NDArray[np.floating],
    known_compounds: Sequence[Compound],
    mechanism: str,
) -> NDArray[np.float64]:
    """Mean cosine of each tested profile (n, F) with the known profiles (m, F) of a mechanism."""
    members = [mechanism in compound.mechanisms for compound in known_compounds]
    return np.asarray(
        (unit_rows(tested, np.float64) @ unit_rows(known, np.float64)[members].T).mean(axis=1), np.float64
    )


def fingerprints(compounds: Sequence[Compound]) -> list[Any]:
    """Morgan bit vectors of structures (ECFP4, 2048 bits).

    Raises
    ------
    CellClipError
        If RDKit is absent or cannot read a structure.
    """
    try:
        from rdkit import Chem
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise CellClipError('structures need RDKit: pip install "napari-cellclip[chem]"') from error
    made = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    found = []
    for compound in compounds:
        molecule = Chem.MolFromSmiles(compound.smiles)
        if molecule is None:
            raise CellClipError(f"the structure of {compound.name} cannot be read: {compound.smiles}")
        found.append(made.GetFingerprint(molecule))
    return found


def nearest_structures(
    tested: Sequence[Any],
    known: Sequence[Any],
    known_compounds: Sequence[Compound],
    mechanism: str,
) -> NDArray[np.float64]:
    """Mean Tanimoto similarity of each tested structure with the known ones of a mechanism."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    members = [
        print_
        for print_, compound in zip(known, known_compounds, strict=True)
        if mechanism in compound.mechanisms
    ]
    return np.array([np.mean(BulkTanimotoSimilarity(print_, members)) for print_ in tested])


def neighbour_precision(
    profiles: NDArray[np.floating], compounds: Sequence[Compound]
) -> tuple[float, float, int]:
    """Mean average precision of compounds at finding others of a mechanism of theirs, by cosine of profiles.

    Every compound with a known mechanism that another one shares is a query; all other compounds are
    candidates, also those of which no mechanism is known.

    Parameters
    ----------
    profiles : ndarray (n, F)
        One for each compound.
    compounds : sequence of Compound
        Their mechanisms.

    Returns
    -------
    precision, random : float
        As measured, and as expected of random orders over the same queries.
    queries : int
        Their number.
    """
    similarity = unit_rows(profiles, np.float64) @ unit_rows(profiles, np.float64).T
    sets = [set(compound.mechanisms) for compound in compounds]
    reached, expected = [], []
    for i, own in enumerate(sets):
        others = np.arange(len(sets)) != i
        right = np.array([bool(own & other) for other in sets])[others]
        if right.any():
            reached.append(average_precision(similarity[i][others], right))
            expected.append(chance_precision(int(others.sum()), int(right.sum())))
    return float(np.mean(reached)), float(np.mean(expected)), len(reached)
