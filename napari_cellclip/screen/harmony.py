"""Harmony: pull the plates of a screen together by soft clusters, without negative controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.vocabulary import ScreenError


def harmonise(vectors: NDArray[np.float64], batches: Sequence[str]) -> NDArray[np.float64]:
    """Correct embeddings by Harmony (Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0).

    Parameters
    ----------
    vectors : ndarray of float64 (n, E)
        All finite.
    batches : sequence of str
        Plate or experiment of each row.

    Returns
    -------
    ndarray of float64 (n, E)

    Raises
    ------
    ScreenError
        If there is one batch, or harmonypy is not installed.
    """
    try:
        import harmonypy
    except ModuleNotFoundError as error:
        raise ScreenError(
            'harmony needs harmonypy (GPL-3.0): pip install "napari-cellclip[harmony]", or use tvn'
        ) from error
    if len(set(batches)) < 2:
        raise ScreenError("harmony needs more than one plate: there is nothing to pull together")
    table = pd.DataFrame({"batch": list(batches)})
    found = harmonypy.run_harmony(vectors, table, ["batch"], verbose=False, random_state=0)
    corrected = np.asarray(found.Z_corr, np.float64)
    return corrected if corrected.shape == vectors.shape else corrected.T
