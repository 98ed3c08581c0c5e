"""Files and columns of a screen."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_cellclip.screen.storage.files import folder_name, write_whole
from napari_cellclip.screen.storage.parquet import column_to_rows, read_table, rows_to_column, write_table
from napari_cellclip.vocabulary import ScreenError


@settings(deadline=None)
@given(st.data(), st.integers(0, 6), st.integers(1, 4), st.sampled_from([np.float16, np.float32]))
def test_rows_come_back_from_a_column(data, n, width, dtype) -> None:
    elements = st.floats(-1e4, 1e4, width=16)
    rows = data.draw(arrays(dtype, (n, width), elements=elements))
    missing = data.draw(arrays(bool, n))
    back = column_to_rows(pa.chunked_array([rows_to_column(rows, missing)]))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back[~missing], rows[~missing])
    assert np.isnan(back[missing]).all()


def test_columns_survive_the_file(tmp_path) -> None:
    rows = np.arange(24, dtype=np.float16).reshape(4, 2, 3)
    missing = np.array([False, True, False, True])
    path = tmp_path / "a=1" / "table.parquet"
    write_table(path, pa.table({"x": rows_to_column(rows, missing), "y": list("abcd")}))
    table = read_table(path)
    assert table.column_names == ["x", "y"]  # the folder's name is no column
    np.testing.assert_array_equal(column_to_rows(table["x"])[[0, 2]], rows.reshape(4, 6)[[0, 2]])
    assert read_table(path, ["y"]).column_names == ["y"]


@settings(deadline=None)
@given(
    st.sets(
        st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1)
    )
)
def test_folders_are_safe_and_tell_plates_apart(names) -> None:
    folders = {folder_name(name) for name in names}
    assert len(folders) == len(names)
    for folder in folders:
        assert os.path.basename(folder) == folder
        assert folder not in {".", ".."}
        assert not set(folder) & set('\\:*?"<>|')


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="power cut"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_damaged_and_missing_files_are_named(tmp_path) -> None:
    path = tmp_path / "shard.parquet"
    with pytest.raises(ScreenError, match=r"shard.parquet is missing"):
        read_table(path)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(ScreenError, match=r"shard.parquet is damaged .*repair"):
        read_table(path)
