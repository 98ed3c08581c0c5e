"""Python examples of the pages: their names exist, their calls fit, and those that need no network run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")))

# Examples that are not run, by a line of theirs, with the reason.
NOT_RUN = {
    'load_model("cellclip", accept_licence=True)': "fetches the published weights",
    'new_model("facebook/dinov2-small"': "fetches an encoder",
    'search_gallery(project="cpg0000-jump-pilot"': "asks the Cell Painting Gallery",
    'channels={"DNA": "ch5"': "needs a plate whose channels have no names",
    "SMILES: CCO": "needs a head that reads structures",
}
# A thing of the reader's, or more than a test needs, and what the test has instead.
INSTEAD = {"P1/B03/1": "BR00117010/B03/1", "sites=4": "sites=1", "default_design(96": "default_design(6"}


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL), 1):
            yield f"{page}-{number}", block


EXAMPLES = dict(examples())


def imported(tree: ast.Module) -> dict[str, Any]:
    """Objects that an example imports, by the name it gives them."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = getattr(
                    importlib.import_module(node.module or ""), alias.name
                )
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_exist_and_calls_fit(name: str) -> None:
    """What an example imports is there, and takes the arguments that it is called with."""
    import napari_cellclip

    tree = ast.parse(EXAMPLES[name])
    known = {n: getattr(napari_cellclip, n) for n in napari_cellclip.__all__} | imported(tree)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function: Any = call.func
        attribute = function.attr if isinstance(function, ast.Attribute) else ""
        owner = getattr(function, "value", function)
        found = known.get(getattr(owner, "id", ""))
        found = getattr(found, attribute) if found is not None and attribute else found
        if found is not None:
            inspect.signature(found).bind(*call.args, **{k.arg: k.value for k in call.keywords if k.arg})


@pytest.mark.slow
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as a reader would: the README's makes the screen that those of the docs ask."""
    from napari.components import ViewerModel

    import napari_cellclip
    from napari_cellclip.simulation import simulate_plate

    monkeypatch.chdir(tmp_path)
    simulate_plate(tmp_path / "BR00117010", wells=24, sites=1, seed=5, size=(96, 96), workers=1)
    Path("run.toml").write_text('[training]\nepochs = 1\n[split]\nby = "none"\n')
    Path("screen-1").symlink_to("my-screen")
    names: dict[str, Any] = {n: getattr(napari_cellclip, n) for n in napari_cellclip.__all__}
    names |= {"napari_cellclip": napari_cellclip, "viewer": ViewerModel()}
    run = [name for name, block in EXAMPLES.items() if not any(line in block for line in NOT_RUN)]
    for name in run:
        block = EXAMPLES[name]
        for example, here in INSTEAD.items():
            block = block.replace(example, here)
        exec(compile(block, name, "exec"), names)
    assert len(run) >= 6
    assert names["answer"].top(10).index.isin(names["screen"].well_ids).all()
    assert (tmp_path / "my-model" / "card.json").is_file()
    assert names["viewer"].layers[0].data.ndim == 2
