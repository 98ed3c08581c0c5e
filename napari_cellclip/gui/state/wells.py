"""One table of wells for every view, made from whatever is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.vocabulary import CellClipError, Perturbation, parse_well, plate_shape, split_id
from napari_cellclip.vocabulary.ids import split_ids

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen

COLUMNS = (
    "plate",
    "well",
    "row",
    "column",
    "treatment",
    "kind",
    "control",
    "mechanism",
    "imaged",
    "encoded",
    "score",
    "cosine",
    "rank",
    "q",
    "replicates",
    "looks_like",
    "built_like",
    "probability",
    "precision",
    "precision_low",
    "precision_high",
    "precision_n",
    "nearest",
    "rivals",
)
"""Columns of a well table; its index is the well id."""

OF_TREATMENTS = COLUMNS[COLUMNS.index("looks_like") :]
"""Columns that answers by look-alikes add, of the treatment and dose of a well."""

TEXTS = ("nearest", "rivals")


def _described(perturbation: Perturbation | None) -> dict[str, str]:
    if perturbation is None:
        return {"treatment": "", "kind": "", "control": "", "mechanism": ""}
    named = perturbation.name or perturbation.genes
    return {
        "treatment": perturbation.treatment if named else "",
        "kind": str(perturbation.kind.value),
        "control": str(perturbation.control.value) if perturbation.control else "",
        "mechanism": perturbation.mechanism,
    }


def _position(well: str) -> tuple[int, int]:
    try:
        return parse_well(well)
    except CellClipError:  # a field whose files did not say its well
        return -1, -1


def well_table(
    plate: Plate | None = None,
    platemap: PlateMap | None = None,
    screen: Screen | None = None,
    answer: Answer | None = None,
) -> pd.DataFrame:
    """Join plate, plate map, screen and answer into one row per well.

    The same as :func:`with_answer` of :func:`opened_wells`.

    Parameters
    ----------
    plate : Plate, optional
        Says which wells were imaged.
    platemap : PlateMap, optional
        Says what was done to them.
    screen : Screen, optional
        Says which wells were encoded; its own labels are used where the plate map has none.
    answer : Answer, optional
        Scores, joined by well id.

    Returns
    -------
    pandas.DataFrame
        Indexed by well id, with the columns of :data:`COLUMNS`; ``row`` and ``column`` are 0-based and
        -1 where the well is not known. From ``q`` on, columns are those of the well's treatment and dose.
        Numbers are NaN and texts empty where there are none.
    """
    return with_answer(opened_wells(plate, platemap, screen), answer)


def opened_wells(plate: Plate | None, platemap: PlateMap | None, screen: Screen | None) -> pd.DataFrame:
    """Join plate, plate map and screen: columns of a well table that no answer changes, in plate order."""
    rows: dict[str, dict[str, object]] = {}
    if plate is not None:
        for well in plate.wells:
            treated = platemap.get(well.name) if platemap is not None and well.known else None
            rows[well.id] = {
                "plate": well.plate,
                "well": well.name,
                "row": well.row,
                "column": well.column,
                **_described(treated),
                "imaged": True,
                "encoded": False,
            }
    if screen is not None:
        for identifier in screen.wells.index:
            plate_name, well_name, _ = split_id(identifier)
            known = rows.get(identifier)
            row, column = (known["row"], known["column"]) if known is not None else _position(well_name)
            rows[identifier] = {
                "plate": plate_name,
                "well": well_name,
                "row": row,
                "column": column,
                **_described(screen.perturbation(identifier)),
                "imaged": known is not None,
                "encoded": bool(screen.wells.at[identifier, "Metadata_sites"] > 0),
            }
            if known is not None and not rows[identifier]["treatment"]:
                rows[identifier].update({k: known[k] for k in ("treatment", "kind", "control", "mechanism")})
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS[:10]))
    table.index.name = "id"
    return table.sort_values(["plate", "row", "column", "well"], kind="stable") if len(table) else table


def with_answer(table: pd.DataFrame, answer: Answer | None) -> pd.DataFrame:
    """Add what an answer says of the wells, or empty columns."""
    if answer is not None:
        scores = answer.scores.reindex(table.index)
        tested = answer.treatments_table
        wells = [split_ids(joined) for joined in tested.index]
        row_of = {well: row for row, group in enumerate(wells) for well in group}
        rows_of_wells = np.array([row_of.get(str(well), -1) for well in table.index], np.intp)
        table = table.assign(
            **{name: scores[name] for name in ("score", "cosine", "rank", "q")},
            replicates=_of_treatments(tested, "n_wells", rows_of_wells),
            **{name: _of_treatments(tested, name, rows_of_wells) for name in OF_TREATMENTS},
        )
    else:
        table = table.assign(score=np.nan, cosine=np.nan, rank=np.nan, q=np.nan, replicates=np.nan)
        table = table.assign(**{name: "" if name in TEXTS else np.nan for name in OF_TREATMENTS})
    return table


def _of_treatments(tested: pd.DataFrame, name: str, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Spread a column of treatments over wells; row -1 is a well that was not tested."""
    missing: Any = "" if name in TEXTS else np.nan
    kind: Any = object if name in TEXTS else np.float64
    if name not in tested:
        return np.full(len(rows), missing, kind)
    return np.append(tested[name].to_numpy(kind), np.array([missing], kind))[rows]


def same_labels(screen: Screen | None, plate: Plate | None, platemap: PlateMap | None) -> bool:
    """Tell whether a plate map says of a plate's wells what the screen says; so too if either is absent."""
    if screen is None or platemap is None:
        return True
    name = plate.name if plate is not None else None
    ids = [split_id(str(i)) for i in screen.wells.index]
    return all(
        platemap.get(well) == screen.perturbation(f"{of}/{well}") for of, well, _ in ids if name in (None, of)
    )


def share_text(share: float, low: float, high: float, n: float) -> str:
    """Write a share with its interval: ``41 % (26-58 %, n 34)``; empty where there is none."""
    if not np.isfinite(share):
        return ""
    return f"{100 * share:.0f} % ({100 * low:.0f}-{100 * high:.0f} %, n {n:.0f})"


def shape_of(table: pd.DataFrame, plate: Plate | None = None) -> tuple[int, int]:
    """Rows and columns of the smallest standard plate that holds these wells."""
    if plate is not None and tuple(plate.shape) > (0, 0):
        return int(plate.shape[0]), int(plate.shape[1])
    if len(table) == 0:
        return 8, 12
    return plate_shape(max(1, int(table["row"].max()) + 1), max(1, int(table["column"].max()) + 1))


def grid_of(table: pd.DataFrame, shape: tuple[int, int], values: str = "score") -> np.ndarray:
    """Values on the plate, float ``[rows, columns]``, NaN where there is no well."""
    grid = np.full(shape, np.nan)
    known = table[(table["row"] >= 0) & (table["row"] < shape[0]) & (table["column"] < shape[1])]
    grid[known["row"].to_numpy(int), known["column"].to_numpy(int)] = known[values].to_numpy(float)
    return grid


def edge_medians(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median of each row and of each column, NaN where all is missing: positional effects show here."""

    def medians(lines: np.ndarray) -> np.ndarray:
        return np.array(
            [np.median(line[np.isfinite(line)]) if np.isfinite(line).any() else np.nan for line in lines]
        )

    return medians(grid), medians(grid.T)


def failed_wells(screen: Screen | None) -> frozenset[str]:
    """List the wells of which no site could be used."""
    if screen is None:
        return frozenset()
    wells = screen.wells
    unused = wells.index[wells["Metadata_sites"] == 0]
    if not len(unused):  # the failures of a large screen are in thousands of files
        return frozenset()
    tried = screen.failures["Metadata_Well_id"].unique()
    return frozenset(str(well) for well in unused[unused.isin(tried)])


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 well``, ``96 wells``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
