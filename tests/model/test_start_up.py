"""What a fresh process imports before a model answers; each of these costs seconds."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from packaging.version import Version

CODE = """
import sys
from napari_cellclip import model
assert "demo" in model.known_cards()
if sys.argv[1] == "texts":
    model.load_model("demo", device="cpu").embed_texts(["U2OS cells treated with compound: nocodazole"])
if sys.argv[1] == "fields":
    import numpy as np
    from napari_cellclip.vocabulary import STAINS
    stats = model.IntensityStats(low=dict.fromkeys(STAINS, 0), high=dict.fromkeys(STAINS, 99), fields=1)
    model.load_model("demo", device="cpu").fields_features([np.ones((5, 64, 64), np.uint16)], stats)
print(*sorted({"torch", "torch._dynamo", "sympy", "transformers", "timm", "torchvision", "accelerate", "peft",
               "sklearn", "scipy", "rdkit"} & set(sys.modules)))
"""


@pytest.mark.parametrize(("doing", "loaded"), [("cards", ""), ("texts", "torch"), ("fields", "torch")])
def test_the_bundled_model_needs_torch_alone(doing: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, doing], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = set(done.stdout.split())
    if Version(version("torch")) < Version("2.6"):
        found -= {"sympy"}  # imported by torch itself
    assert found == {*loaded.split()}
