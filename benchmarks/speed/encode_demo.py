"""Encoding with the demo encoder's network: what is compared is said in `encoding`.

``python -m benchmarks.speed.encode_demo [--quick]``
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.speed.encoding import linked_plate, measured, model_of
from benchmarks.speed.figures import Figure, script
from napari_cellclip.model import IntensityScaling, SmallEncoder


def measure(quick: bool) -> list[Figure]:
    """Encode six wells of six sites: with fewer, what a plate takes once would weigh."""
    size, sites, crop, rounds = (64, 1, 32, 1) if quick else (1080, 6, 224, 3)
    with tempfile.TemporaryDirectory() as made:
        plate = linked_plate(Path(made), size, sites)
        model = model_of(SmallEncoder(), IntensityScaling(kind="plate"), crop)
        return measured("demo encoder", plate, model, model.encoder, Path(made), rounds)


if __name__ == "__main__":
    script(measure, __doc__)
