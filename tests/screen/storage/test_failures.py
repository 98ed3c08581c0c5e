"""How a failed site is recorded: one place names the columns, and whole results stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from napari_cellclip.screen.storage.failures import (
    FAILURE,
    FILE,
    SITE,
    WELL,
    SiteResult,
    failures_table,
    reasons,
    update_failures,
    write_failures,
)
from tests.project.source_tree import modules

STATUS = {"P1/A01/1": "", "P1/A01/2": "cut off", "P 2/B03/1": "no such file"}


def test_only_failed_sites_are_in_the_table(tmp_path: Path) -> None:
    table = failures_table(STATUS)
    assert list(table.columns) == [SITE, WELL, FAILURE]
    assert reasons(table) == [("P1/A01/2", "cut off"), ("P 2/B03/1", "no such file")]
    assert list(table[WELL]) == ["P1/A01", "P 2/B03"]
    write_failures(tmp_path, STATUS)
    written = pq.read_table(tmp_path / FILE).to_pandas()
    assert written.equals(table.iloc[::-1].reset_index(drop=True)), "plates by name"


def test_a_plate_is_not_taken_for_one_whose_name_goes_on(tmp_path: Path) -> None:
    write_failures(tmp_path, {"P1/A01/1": "cut off", "P10/A01/1": "no such file"})
    assert update_failures(tmp_path, "P1", {"P1/A01/1": ""})
    assert reasons(pq.read_table(tmp_path / FILE).to_pandas()) == [("P10/A01/1", "no such file")]


def test_a_table_without_failures_has_its_columns(tmp_path: Path) -> None:
    write_failures(tmp_path, {"P1/A01/1": ""})
    assert pq.read_table(tmp_path / FILE).schema.names == [SITE, WELL, FAILURE]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 7e4])
def test_numbers_that_half_precision_cannot_hold_are_a_failure(bad: float) -> None:
    features = np.ones((5, 3), np.float32)
    assert SiteResult("P1/A01/1", features).checked().failure == ""
    features[2, 1] = bad
    checked = SiteResult("P1/A01/1", features).checked()
    assert checked.features is None
    assert "not finite or far too large" in checked.failure


def test_the_column_is_named_in_one_file(repository: Path) -> None:
    named = [name for name, m in modules(repository).items() if f'"{FAILURE}"' in m.file.read_text()]
    assert named == ["napari_cellclip.screen.storage.failures"]
