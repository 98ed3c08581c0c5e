"""Make the simulated 96-well sample plate on first use, and find it again later."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from napari_cellclip.simulation.design import dose_response_design
from napari_cellclip.simulation.plate import Simulated, iter_simulate
from napari_cellclip.vocabulary.mechanisms import mechanism
from napari_cellclip.vocabulary.user_folders import cache_folder

NAME = "simulated-96"
SEED = 2025
MECHANISMS_SHOWN = (
    "tubulin_destabiliser",
    "actin_inhibitor",
    "hdac_inhibitor",
    "proteasome_inhibitor",
    "translation_inhibitor",
    "aurora_inhibitor",
    "bet_inhibitor",
    "er_stress",
    "mito_uncoupler",
    "pol1_inhibitor",
    "golgi_disruptor",
    "rock_inhibitor",
)
"""Mechanisms on the sample plate, a compound each at three doses in two wells; others are absent from it."""

RECIPE = 2
"""Raised whenever the simulator draws something differently, so that old samples are not taken for new."""


def sample_plate(cache: Path | None = None, progress: Callable[[Simulated], object] | None = None) -> Path:
    """Make or find the simulated 96-well sample plate with 2 sites a well.

    Parameters
    ----------
    cache : Path, optional
        Folder to store it in; `cache_folder` by default.
    progress : callable, optional
        Called after every well while the plate is made.

    Returns
    -------
    Path
        Plate folder with ``platemap.csv``.
    """
    home = (cache or cache_folder()) / f"samples-{RECIPE}"
    plate = home / NAME
    if (plate / "platemap.csv").exists():
        return plate
    home.mkdir(parents=True, exist_ok=True)
    # Made aside and moved into place: two programs that start together cannot spoil each other's plate.
    aside = Path(tempfile.mkdtemp(prefix="making-", dir=home))
    try:
        design = dose_response_design(SEED, [mechanism(key) for key in MECHANISMS_SHOWN])
        for step in iter_simulate(aside / NAME, sites=2, seed=SEED, design=design, name=NAME):
            if progress is not None:
                progress(step)
        try:
            (aside / NAME).replace(plate)
        except OSError:
            if not (plate / "platemap.csv").exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return plate
