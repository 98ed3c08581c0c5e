"""Who reads while another process writes sees the old file or the new one, never half of one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from napari_cellclip.screen.storage.parquet import read_table, write_table

REPOSITORY = Path(__file__).parents[2]
WRITE = """
import sys
from pathlib import Path
import pyarrow as pa
from napari_cellclip.screen.storage.parquet import write_table
number = 0
while True:
    number += 1
    write_table(Path(sys.argv[1]), pa.table({"n": pa.array([number] * 5000)}))
"""


@pytest.mark.parametrize("reads", [200, pytest.param(5000, marks=pytest.mark.slow)])
def test_no_read_sees_half_a_file(tmp_path: Path, reads: int) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, pa.table({"n": pa.array([0] * 5000)}))
    seen: Counter[int] = Counter()
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], cwd=REPOSITORY) as writer:
        try:
            while sum(seen.values()) < reads or len(seen) < 3:
                values = set(read_table(path)["n"].to_pylist())
                assert len(values) == 1
                seen[values.pop()] += 1
                assert writer.poll() is None
        finally:
            writer.kill()
    assert list(seen) == sorted(seen)  # in the order in which they were written
