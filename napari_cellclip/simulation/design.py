"""Design of a plate: which treatment goes into which well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_cellclip.simulation.pharmacology import Pharmacology
from napari_cellclip.vocabulary import (
    PLATE_SHAPES,
    CellClipError,
    Control,
    Kind,
    Perturbation,
    well_name,
)
from napari_cellclip.vocabulary.mechanisms import (
    INERT_COMPOUNDS,
    MECHANISMS,
    Compound,
    Mechanism,
)

DOSES = (0.3, 3.0, 30.0)
"""Micromolar, as in a three-point screen."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """Treatment of one well, and the truth about it.

    Attributes
    ----------
    perturbation : Perturbation
        As the plate map tells it.
    mechanism : str
        Key of the mechanism, empty for none.
    effect : float
        Simulated effect, 0..1.
    """

    perturbation: Perturbation
    mechanism: str = ""
    effect: float = 0.0


@dataclass(frozen=True)
class Design:
    """Treatments by well name (``B03``).

    Attributes
    ----------
    wells : dict of str to Treatment
        Wells that hold cells.
    shape : tuple of int
        Rows and columns of the plate.
    """

    wells: dict[str, Treatment]
    shape: tuple[int, int]


def dmso() -> Treatment:
    """Make the vehicle control."""
    return Treatment(Perturbation(Kind.CONTROL, "DMSO", smiles="CS(C)=O", control=Control.NEGATIVE))


def compound_treatment(compound: Compound, mechanism: Mechanism | None, dose: float) -> Treatment:
    """Make a treatment with a compound at a dose in micromolar; without a mechanism it does nothing."""
    effect = Pharmacology.of(compound.name).effect(dose) if mechanism else 0.0
    perturbation = Perturbation(
        Kind.COMPOUND,
        compound.name,
        smiles=compound.smiles,
        genes=compound.genes,
        mechanism=mechanism.name if mechanism else "",
        dose=dose,
    )
    return Treatment(perturbation, mechanism.key if mechanism else "", effect)


def knockout_treatment(gene: str, mechanism: Mechanism) -> Treatment:
    """Make a CRISPR knockout of a gene that gives this mechanism's phenotype."""
    perturbation = Perturbation(Kind.CRISPR, gene, genes=(gene,), mechanism=mechanism.name)
    return Treatment(perturbation, mechanism.key, Pharmacology.of(f"{gene} knockout").effect(None))


def default_design(
    wells: int = 96,
    seed: int = 0,
    *,
    compounds: Iterable[str] | None = None,
    doses: Sequence[float] = DOSES,
) -> Design:
    """Design a screening plate: mechanisms, doses, knockouts, inert compounds, DMSO, randomised by seed.

    Parameters
    ----------
    wells : int
        A standard plate format, 6 to 1536.
    seed : int
        Chooses compounds and shuffles wells.
    compounds : iterable of str, optional
        Use only these compounds (inert ones are not affected).
    doses : sequence of float
        Micromolar. The higher ones are used more often.

    Returns
    -------
    Design

    Raises
    ------
    CellClipError
        If there is no such plate format, or a mechanism would be left without a compound.
    """
    if wells not in PLATE_SHAPES:
        raise CellClipError(f"no plate has {wells} wells: choose {', '.join(map(str, PLATE_SHAPES))}")
    rng = np.random.default_rng([seed, wells])
    allowed = None if compounds is None else set(compounds)
    choices = {
        mechanism: [c for c in mechanism.compounds if allowed is None or c.name in allowed]
        for mechanism in MECHANISMS
    }
    bare = [mechanism.name for mechanism, found in choices.items() if not found]
    if bare:
        raise CellClipError(f"no compound is left for {', '.join(bare)}: allow one of each mechanism")
    controls = max(2, round(0.135 * wells))
    inert = round(0.05 * wells)
    knockouts = round(0.09 * wells)
    treatments = [dmso() for _ in range(controls)]
    for i in rng.permutation(max(inert, len(INERT_COMPOUNDS)))[:inert]:
        compound = INERT_COMPOUNDS[i % len(INERT_COMPOUNDS)]
        treatments.append(compound_treatment(compound, None, float(rng.choice(doses))))
    order = _in_turn(rng, len(MECHANISMS), knockouts)
    for i in order:
        treatments.append(knockout_treatment(str(rng.choice(MECHANISMS[i].genes)), MECHANISMS[i]))
    left: dict[str, list[Compound]] = {mechanism.key: [] for mechanism in MECHANISMS}
    for turn, i in enumerate(_in_turn(rng, len(MECHANISMS), wells - len(treatments))):
        mechanism = MECHANISMS[i]
        waiting = left[mechanism.key]
        if not waiting:
            waiting.extend(choices[mechanism][j] for j in rng.permutation(len(choices[mechanism])))
        # Highest dose first, then down: every mechanism is there at full effect on a small plate too.
        dose = doses[::-1][(turn // len(MECHANISMS)) % len(doses)]
        treatments.append(compound_treatment(waiting.pop(), mechanism, float(dose)))
    rows, columns = PLATE_SHAPES[wells]
    names = [well_name(row, column) for row in range(rows) for column in range(columns)]
    shuffled = rng.permutation(len(names))
    placed = {names[place]: treatment for place, treatment in zip(shuffled, treatments, strict=True)}
    return Design({name: placed[name] for name in names}, (rows, columns))


def dose_response_design(
    seed: int | Sequence[int],
    mechanisms: Sequence[Mechanism],
    *,
    replicates: int = 2,
    inert: int = 4,
    doses: Sequence[float] = DOSES,
) -> Design:
    """Design a 96-well confirmation plate: few compounds, each at every dose in replicate wells.

    Parameters
    ----------
    seed : int or sequence of int
        Chooses a compound of each mechanism and shuffles wells.
    mechanisms : sequence of Mechanism
        One compound of each.
    replicates : int
        Wells of a treatment and dose.
    inert : int
        Compounds that do nothing, at the highest dose.
    doses : sequence of float
        Micromolar.

    Returns
    -------
    Design
        Wells that are left over hold the vehicle.

    Raises
    ------
    CellClipError
        If this does not fit the plate and leave wells for the vehicle.
    """
    rng = np.random.default_rng(seed)
    treatments: list[Treatment] = []
    for mechanism in mechanisms:
        compound = mechanism.compounds[rng.integers(len(mechanism.compounds))]
        for dose in doses:
            treatments += [compound_treatment(compound, mechanism, dose)] * replicates
    for i in rng.choice(len(INERT_COMPOUNDS), inert, replace=False):
        treatments += [compound_treatment(INERT_COMPOUNDS[i], None, doses[-1])] * replicates
    rows, columns = PLATE_SHAPES[96]
    if len(treatments) > rows * columns - 3:
        raise CellClipError(f"{len(treatments)} treated wells of 96 leave too few for the vehicle")
    treatments += [dmso()] * (rows * columns - len(treatments))
    names = [well_name(row, column) for row in range(rows) for column in range(columns)]
    order = rng.permutation(len(treatments))
    return Design({name: treatments[i] for name, i in zip(names, order, strict=True)}, (rows, columns))


def _in_turn(rng: np.random.Generator, kinds: int, count: int) -> list[int]:
    """Draw `count` of `kinds` things evenly: in rounds of random order."""
    rounds = -(-count // kinds) if count > 0 else 0
    return [int(i) for _ in range(rounds) for i in rng.permutation(kinds)][: max(count, 0)]
