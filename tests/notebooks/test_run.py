"""The notebooks run from top to bottom in a fresh kernel, and are committed with what they show."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_there_is_a_quickstart() -> None:
    assert "01_quickstart" in {notebook.stem for notebook in NOTEBOOKS}


REAL = "04_real_profiles"
"""Reads published tables, which are not in the repository."""


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != REAL], ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    run(path)


@pytest.mark.slow
@pytest.mark.real_data
def test_notebook_of_real_profiles_runs(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPJUMP1_TABLES", str(real_data / "prof_cpjump1_cellprofiler"))
    run(next(path for path in NOTEBOOKS if path.stem == REAL))


def run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole_and_small(path: Path, repository: Path) -> None:
    """Readers on the web see results, no error, and nothing of the machine they were made on."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run in order, once"
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    text = path.read_text()
    assert str(Path.home()) + "/" not in text
    assert str(repository.parent) + "/" not in text
    assert path.stat().st_size < 1_500_000
