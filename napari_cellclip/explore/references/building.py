"""Build reference sets from screens, and list what their assay can recognise."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.recognisable import (
    FEWEST,
    iter_table_of_mechanisms,
    table_of_mechanisms,
)
from napari_cellclip.explore.references.profiles import WellProfiles, profiles_of
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource, joined
from napari_cellclip.explore.references.referenced_screen import referenced
from napari_cellclip.screen.progress import finished

if TYPE_CHECKING:
    from napari_cellclip.screen import Progress, Screen


def build_references(
    screens: Sequence[Screen], *, sources: Sequence[ReferenceSource] | None = None, seed: int = 0
) -> ReferenceSet:
    """Build one reference set from the labelled treatments of screens.

    Parameters
    ----------
    screens : sequence of Screen
        Of one channel encoder, or all of CellProfiler profiles, whose shared features are used.
    sources : sequence of ReferenceSource, optional
        What to call each, with licence and attribution; by the screen's name if not given.
    seed : int
        Of the test of replicate agreement.

    Raises
    ------
    CellClipError
        If a screen names no treatment with a mechanism or target, or they share too few features.
    """
    named = sources or [ReferenceSource(screen.name) for screen in screens]
    return joined(
        [
            ReferenceSet.of_wells(profiles_of(screen), source, seed=seed)
            for screen, source in zip(screens, named, strict=True)
        ]
    )


def recognisable_mechanisms(
    screen: Screen,
    references: ReferenceSet | None = None,
    *,
    use_platemap: bool = True,
    least: int = FEWEST,
    seed: int = 0,
) -> pd.DataFrame:
    """Test which mechanisms a screen's assay can recognise: do their reference treatments find each other?

    Parameters
    ----------
    screen : Screen
    references : ReferenceSet, optional
        Of other screens.
    use_platemap : bool
        Whether the screen's own labelled treatments are references.
    least : int
        References that a mechanism must have to be listed.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        See :func:`napari_cellclip.explore.references.probability.recognisable.table_of_mechanisms`.
    """
    steps = iter_recognisable_mechanisms(
        screen, references, use_platemap=use_platemap, least=least, seed=seed
    )
    return finished(steps)


def iter_recognisable_mechanisms(
    screen: Screen,
    references: ReferenceSet | None = None,
    *,
    use_platemap: bool = True,
    least: int = FEWEST,
    seed: int = 0,
) -> Generator[Progress, None, pd.DataFrame]:
    """Test mechanisms, as :func:`recognisable_mechanisms`, with progress; may be closed at any step."""
    beside = referenced(screen, references, use_platemap=use_platemap, seed=seed)
    return (yield from iter_table_of_mechanisms(beside.look_alikes, least=least, seed=seed))


def recognisable_in(references: ReferenceSet, *, least: int = FEWEST, seed: int = 0) -> pd.DataFrame:
    """Test which mechanisms the references of a set can be recognised by, without any other screen."""
    controls = references.controls
    wells = WellProfiles(
        controls,
        references.features,
        references.space,
        pd.DataFrame(
            {"Metadata_control_type": "negcon", "Metadata_treatment": "", "Metadata_dose": np.nan},
            index=[f"controls/{i}" for i in range(len(controls))],
        ),
        np.zeros(len(controls), np.intp),
        np.ones(len(controls), bool),
    )
    return table_of_mechanisms(LookAlikes(wells, references, seed=seed), least=least, seed=seed)
