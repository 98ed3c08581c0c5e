"""Reference files: what is written comes back, and what a stranger sends is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cellclip.explore.references.files import read_references, write_references
from napari_cellclip.explore.references.reference_set import COLUMNS, ReferenceSet, ReferenceSource
from napari_cellclip.vocabulary import CellClipError
from tests.explore.references.made_wells import TWELVE, compounds, made_wells

KEY = b"napari-cellclip-references"


@pytest.fixture(scope="module")
def made() -> ReferenceSet:
    source = ReferenceSource("made", "U2OS", 48.0, "CC0", "nobody")
    return ReferenceSet.of_wells(made_wells(compounds(*TWELVE[:3])), source)


@pytest.fixture
def file(made: ReferenceSet, tmp_path: Path) -> Path:
    return write_references(made, tmp_path / "made")


def changed(file: Path, table: pa.Table, **content: object) -> Path:
    """The file with other columns or description."""
    metadata = json.loads(pq.read_schema(file).metadata[KEY]) | content
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(metadata).encode()}), file)
    return file


def refused(file: Path, match: str) -> None:
    with pytest.raises(CellClipError, match=match) as caught:
        read_references(file)
    assert "Traceback" not in str(caught.value)


def test_a_set_comes_back_as_it_was(made: ReferenceSet, file: Path) -> None:
    assert file.name == "made.references.parquet"
    found = read_references(file)
    pd.testing.assert_frame_equal(found.treatments, made.treatments[list(COLUMNS)], check_dtype=False)
    np.testing.assert_array_equal(found.profiles, made.profiles)
    np.testing.assert_array_equal(found.controls, made.controls)
    assert (found.features, found.space, found.sources) == (made.features, made.space, made.sources)
    assert [p.name for p in file.parent.iterdir()] == [file.name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_pass_unseen(made: ReferenceSet, file: Path, data: st.DataObject) -> None:
    whole = write_references(made, file).read_bytes()
    if data.draw(st.booleans()):
        bad = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        bad = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    file.write_bytes(bad)
    try:
        found = read_references(file)
    except CellClipError:
        return
    np.testing.assert_array_equal(found.profiles, made.profiles)
    np.testing.assert_array_equal(found.controls, made.controls)


def test_other_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none", "is no file")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    refused(other, "is no reference set")
    for name in ("profiles.csv", "profiles.CSV.gz"):
        (other.parent / name).write_text("Metadata_Well,Cells_AreaShape_Area\nA01,1\n")
        refused(other.parent / name, r"is no reference set.*import-profiles.*references build")
    other.write_bytes(b"\x80\x04\x95pickle")
    refused(other, "is no reference file, or damaged")


def test_a_newer_version_is_said(file: Path) -> None:
    refused(changed(file, pq.read_table(file), version=99), "newer napari-cellclip")


@pytest.mark.parametrize(
    "content",
    [
        {"features": []},
        {"features": ["a", "a"]},
        {"features": None},
        {"sources": [{"name": "no licence"}]},
        {"sources": 5},
        {"version": "x"},
    ],
    ids=str,
)
def test_a_description_that_makes_no_sense_is_refused(file: Path, content: dict[str, object]) -> None:
    refused(changed(file, pq.read_table(file), **content), "damaged")


@pytest.mark.parametrize("column", ["control", "name", "dose", "wells", "profile"])
def test_a_column_that_lacks_or_is_of_another_kind_is_refused(file: Path, column: str) -> None:
    table = pq.read_table(file)
    refused(changed(file, table.drop_columns([column])), f"column {column} is missing")
    at = table.schema.get_field_index(column)
    other = table.set_column(at, column, pa.array([[1.0]] * len(table)))
    refused(changed(file, other), f"column {column} is missing or of another kind")


def test_lists_of_another_length_are_refused(file: Path) -> None:
    refused(changed(file, pq.read_table(file), features=["only one"]), "column profile")


def test_profiles_that_are_no_numbers_are_refused(made: ReferenceSet, tmp_path: Path) -> None:
    profiles = made.profiles.copy()
    profiles[0, 0] = np.nan
    bad = ReferenceSet(made.treatments, profiles, made.controls, made.features, made.space, made.sources)
    refused(write_references(bad, tmp_path / "bad"), "no numbers")


def test_missing_rows_in_lists_are_refused(file: Path) -> None:
    """A null in the place of a whole profile would shift all rows after it."""
    table = pq.read_table(file)
    values = table["profile"].to_pylist()
    values[0] = None
    size = table.schema.field("profile").type.list_size
    column = pa.array(values, pa.list_(pa.float32(), size))
    other = changed(file, table.set_column(table.schema.get_field_index("profile"), "profile", column))
    refused(other, "damaged|cannot be read")  # pyarrow 15 itself refuses such a list


@pytest.mark.parametrize("only", ["controls", "treatments"])
def test_a_set_of_one_kind_of_row_is_refused(file: Path, only: str) -> None:
    table = pq.read_table(file)
    keep = np.asarray(table["control"]) == (only == "controls")
    refused(
        changed(file, table.filter(pa.array(keep))),
        f"holds no {'treatments' if only == 'controls' else 'controls'}",
    )
