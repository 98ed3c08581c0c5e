"""What limits an answer is said, and nothing where nothing does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.limits import limits_of
from napari_cellclip.explore.wording.filters import Dose, Filters


def notes_of(wells: int = 10, simulated: bool = False, beyond=(), filters=None, **calibration) -> list[str]:
    """Notes for ten embedded wells; replicates, scale and vocabulary say nothing unless told to."""
    plain = {
        "n_controls": 8,
        "controls_in_few_columns": False,
        "replicates": (),
        "scale": SimpleNamespace(notes=()),
    }
    screen = SimpleNamespace(wells=range(wells), card=SimpleNamespace(name="m", simulated=simulated))
    selected = np.arange(10) < 4 if filters else np.ones(10, bool)
    made = SimpleNamespace(**plain | calibration)
    return limits_of(screen, made, filters=filters, selected=selected, out_of_vocabulary=beyond)  # type: ignore[arg-type]


def test_nothing_is_said_where_nothing_limits_the_answer() -> None:
    assert notes_of() == []
    assert notes_of(n_controls=0) == []  # the verdict says so


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n_controls": 7}, "only 7 negative controls in all"),
        ({"controls_in_few_columns": True}, "lie in one or two columns"),
        ({"wells": 11}, "1 well has no embedding"),
        ({"wells": 13}, "3 wells have no embedding"),
        ({"simulated": True}, "simulated cells only"),
        ({"filters": Filters(dose=Dose(low=3.0, high=3.0))}, "take part: 4 wells."),
        ({"beyond": ["elephants"]}, "'elephants'. It was not trained on these words"),
        ({"beyond": ["e" * 61]}, f"'{'e' * 57}…'"),
        ({"scale": SimpleNamespace(notes=("of the scale",))}, "of the scale"),
    ],
)
def test_each_limit_is_one_sentence(given: dict, said: str) -> None:
    (note,) = notes_of(**given)
    assert said in note


@pytest.mark.parametrize(
    ("columns", "controls", "few"),
    [(7, 2, True), (7, 3, False), (6, 2, False), (12, 1, True), (12, 0, False)],
)
def test_controls_in_one_or_two_columns_of_many_are_noticed(columns: int, controls: int, few: bool) -> None:
    """Of a plate that uses seven columns or more; half of the rows of a column are controls."""
    column = np.repeat(np.arange(1, columns + 1), 8)
    negative = (column <= controls) & (np.arange(len(column)) % 2 == 0)
    given = SimpleNamespace(wells=pd.DataFrame({"Metadata_Column": column}), _controls=negative)
    assert Calibration.controls_in_few_columns.func(given) is few
