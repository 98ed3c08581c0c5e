"""Correct batch effects in well embeddings, fitted on negative controls.

Corrected embeddings answer questions between images. A text vector may meet them only after the same
transform, which :meth:`CorrectedEmbeddings.transform` applies where the method is affine; the others refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_cellclip.screen.harmony import harmonise
from napari_cellclip.vocabulary import Control, ScreenError

Method = Literal["none", "center", "sphering", "tvn", "pca", "kernel_pca", "harmony"]
Kernel = Literal["linear", "poly", "rbf"]
Scaler = Literal["controls", "all wells"]
Vectors = NDArray[np.float64]
Step = Callable[[Vectors], Vectors]

METHODS: tuple[Method, ...] = get_args(Method)

MIN_CONTROLS = 4
"""Negative controls below which a plate's spread cannot be estimated."""

MOST_CONTROLS = 5000
"""Sphering takes memory with the square of its controls: beyond this many, evenly spaced ones are used."""


@dataclass(frozen=True)
class CorrectedEmbeddings:
    """Embeddings after a correction, and the correction itself.

    Attributes
    ----------
    vectors : ndarray of float64 (n, E')
        Rows as given; NaN where the embedding was. E' may be smaller than E.
    method : str
        See :func:`correct`.
    settings : mapping
        How it was fitted: ready for JSON.
    linear : bool
        Whether other vectors can be sent through the same transform.
    by_plate : bool
        Whether the transform differs from plate to plate.
    """

    vectors: Vectors
    method: Method
    settings: Mapping[str, Any]
    linear: bool
    _shared: Step = field(repr=False)
    _of_plate: Mapping[str, Step] = field(repr=False)

    @property
    def described(self) -> str:
        """The method, and what it was fitted on, in words."""
        controls = self.settings.get("controls")
        fitted = f"fitted on {controls} negative controls" if controls else "without controls"
        return f"{self.method}, {fitted}" + (", each plate by itself" if self.by_plate else "")

    @property
    def about(self) -> dict[str, Any]:
        """Method and settings as entries of a record, such as that of an answer's null."""
        return {"correction": self.method, **{f"correction {k}": v for k, v in self.settings.items()}}

    @property
    def by_plate(self) -> bool:
        """Whether the transform differs from plate to plate."""
        return bool(self._of_plate)

    def transform(self, vectors: ArrayLike, plate: str | None = None) -> Vectors:
        """Send other vectors of the same space, such as embedded texts, through the same transform.

        Parameters
        ----------
        vectors : array_like (m, E)
            In the space of the uncorrected embeddings.
        plate : str, optional
            Whose wells they shall be compared with; needed where the transform differs between plates.

        Returns
        -------
        ndarray of float64 (m, E')

        Raises
        ------
        ScreenError
            If the method is not linear, the plate is not given or was not fitted.
        """
        if not self.linear:
            raise ScreenError(
                f"a text cannot be compared with embeddings corrected by {self.method} with these settings,"
                " which are not linear: use center, sphering, tvn, pca, or kernel_pca with a linear kernel"
            )
        if self.by_plate and (plate is None or plate not in self._of_plate):
            raise ScreenError(
                f"the correction {self.method} differs between plates: say which one's wells the vectors meet"
                f" ({', '.join(map(str, self._of_plate))}), not {plate!r}"
            )
        out = self._shared(np.atleast_2d(np.asarray(vectors, dtype=np.float64)))
        return self._of_plate[cast(str, plate)](out) if self.by_plate else out


def correct(
    embeddings: ArrayLike,
    wells: pd.DataFrame,
    method: Method = "none",
    *,
    controls: ArrayLike | None = None,
    batch: str = "Metadata_Plate",
    kernel: Kernel = "rbf",
    components: int = 500,
    scaler: Scaler = "controls",
) -> CorrectedEmbeddings:
    """Take out what differs between plates and what varies among untreated wells.

    Parameters
    ----------
    embeddings : array_like (n, E)
        One row a well; rows that are not finite stay so and are not used.
    wells : DataFrame
        n rows, such as ``Screen.wells``: the batch column, and ``Metadata_control_type`` where `controls`
        are not given.
    method : {"none", "center", "sphering", "tvn", "pca", "kernel_pca", "harmony"}
        ``center``: each plate minus the mean of its controls, over their standard deviation.
        ``sphering``: ZCA whitening on the controls of all plates (pycytominer's ``Spherize``).
        ``tvn``: typical variation normalisation as EFAAR has it: standardised on controls, PCA of the
        controls, standardised again, then each plate by the inverse root of its controls' covariance + 0.5 I.
        ``pca``: PCA of the controls, then ``center`` (EFAAR's protocol for RxRx3-core).
        ``kernel_pca``: kernel PCA fitted on the controls of all plates, then each plate scaled (CellCLIP's
        CP-JUMP1 protocol).
        ``harmony``: soft clusters of all wells, in each of which plates are pulled together
        (:func:`~napari_cellclip.screen.harmony.harmonise`); takes no controls.
    controls : array_like of bool (n,), optional
        The wells to fit on; where not given, those with control type ``negcon``.
    batch : str
        Column that tells plates (or experiments) apart.
    kernel : {"linear", "poly", "rbf"}
        Of ``kernel_pca``, with scikit-learn's defaults.
    components : int
        Most components of ``kernel_pca``; never more than there are controls.
    scaler : {"controls", "all wells"}
        What ``kernel_pca`` scales a plate on: its controls, as the paper says, or all its wells, as the
        published code does.

    Returns
    -------
    CorrectedEmbeddings

    Raises
    ------
    ScreenError
        If controls are too few, a column is missing, or the controls leave nothing to fit on.

    References
    ----------
    Ando et al. 2017 (TVN, doi:10.1101/161422); Kessy et al. 2018 (ZCA, doi:10.1080/00031305.2016.1277159);
    Celik et al. 2024 (EFAAR, doi:10.1371/journal.pcbi.1012463).

    Examples
    --------
    >>> corrected = correct(screen.embeddings, screen.wells, "sphering")   # doctest: +SKIP
    """
    if method not in METHODS:
        raise ScreenError(f"there is no correction {method!r}: use one of {', '.join(METHODS)}")
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(wells):
        raise ScreenError(
            f"embeddings of shape {x.shape} do not fit {len(wells)} wells: one row each is needed"
        )
    if method == "none":
        return CorrectedEmbeddings(x.copy(), method, {}, True, _same, {})
    if batch not in wells:
        raise ScreenError(
            f"the wells have no column {batch!r}, which a correction needs to tell plates apart"
        )
    plates = wells[batch].astype(str).to_numpy()
    settings: dict[str, Any]
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(x).all(axis=1))
    if method == "harmony":
        harmonised = np.full(x.shape, np.nan)
        harmonised[finite] = harmonise(x[finite], plates[finite])
        settings = {"batch": batch, "plates": len(set(plates[finite])), "dimensions": x.shape[1]}
        return CorrectedEmbeddings(harmonised, method, settings, False, _same, {})
    fit = _controls(wells, controls) & finite
    if fit.sum() < MIN_CONTROLS:
        raise ScreenError(
            f"{fit.sum()} negative controls with an embedding are too few for the correction {method}:"
            f" at least {MIN_CONTROLS} are needed; name them in the plate map (control type negcon)"
        )
    settings = {"controls": int(fit.sum())}
    scaled_on = fit
    if method == "center":
        shared: Step = _same
    elif method == "sphering":
        used = np.flatnonzero(fit)
        used = used[np.linspace(0, len(used) - 1, min(len(used), MOST_CONTROLS)).astype(int)]
        shared = _sphering(x[used])
        settings["controls"] = len(used)
    elif method == "tvn":
        first = _standardiser(x[fit])
        turned = _principal(first(x[fit]))
        second = _standardiser(turned(first(x[fit])))
        shared = _chain(first, turned, second)
    elif method == "pca":
        shared = _principal(x[fit])
    else:
        if scaler not in get_args(Scaler):
            raise ScreenError(f"a plate is scaled on {' or '.join(get_args(Scaler))}, not on {scaler!r}")
        shared = _kernel_pca(x[fit], kernel, components)
        scaled_on = finite if scaler == "all wells" else fit
        settings |= {"kernel": kernel, "components": min(components, int(fit.sum())), "scaler": scaler}

    known = shared(x[finite])
    moved = np.full((len(x), known.shape[1]), np.nan)
    moved[finite] = known
    of_plate: dict[str, Step] = {}
    if method != "sphering":
        settings["batch"] = batch
        make = _inverse_root if method == "tvn" else _standardiser
        for name in dict.fromkeys(plates[finite]):
            rows = scaled_on & (plates == name)
            if rows.sum() < MIN_CONTROLS:
                raise ScreenError(
                    f"plate {name} has {rows.sum()} negative controls with an embedding, too few for the"
                    f" correction {method} ({MIN_CONTROLS} are needed): leave the plate out or use sphering"
                )
            of_plate[str(name)] = make(moved[rows])
            here = finite & (plates == name)
            moved[here] = of_plate[str(name)](moved[here])
    settings["dimensions"] = moved.shape[1]
    linear = method != "kernel_pca" or kernel == "linear"
    return CorrectedEmbeddings(moved, method, settings, linear, shared, of_plate)


def _controls(wells: pd.DataFrame, given: ArrayLike | None) -> NDArray[np.bool_]:
    if given is not None:
        mask = np.asarray(given, dtype=bool)
        if mask.shape != (len(wells),):
            raise ScreenError(f"controls of shape {mask.shape} do not fit {len(wells)} wells")
        return mask
    if "Metadata_control_type" not in wells:
        raise ScreenError("the wells have no column 'Metadata_control_type': which of them are controls?")
    return (wells["Metadata_control_type"] == Control.NEGATIVE.value).to_numpy()


def _same(vectors: Vectors) -> Vectors:
    return vectors


def _chain(*steps: Step) -> Step:
    def apply(vectors: Vectors) -> Vectors:
        for step in steps:
            vectors = step(vectors)
        return vectors

    return apply


def _standardiser(rows: Vectors) -> Step:
    """Centre and scale by mean and population standard deviation of `rows`."""
    from sklearn.preprocessing import StandardScaler

    fitted = StandardScaler().fit(rows)
    return lambda vectors: cast(Vectors, fitted.transform(vectors))


def _principal(rows: Vectors) -> Step:
    """Principal components of `rows`, without those along which they do not vary at all.

    With fewer rows than dimensions the last component is rounding noise: scaling it to 1 would put it on a
    par with the rest.
    """
    from sklearn.decomposition import PCA

    if not np.ptp(rows, axis=0).any():
        raise ScreenError("the negative controls do not differ at all: there is nothing to correct by")
    fitted = PCA(svd_solver="full").fit(rows)
    spread = fitted.explained_variance_
    count = int((spread > spread[0] * len(rows) * np.finfo(np.float64).eps).sum())
    return lambda vectors: cast(Vectors, fitted.transform(vectors)[:, :count])


def _inverse_root(rows: Vectors) -> Step:
    """By the inverse root of the covariance of `rows` + 0.5 I (CORAL's first half, as in EFAAR)."""
    values, axes = np.linalg.eigh(np.cov(rows, rowvar=False, ddof=1).reshape(rows.shape[1], -1))
    root = (axes / np.sqrt(values + 0.5)) @ axes.T
    return lambda vectors: vectors @ root


def _kernel_pca(rows: Vectors, kernel: Kernel, components: int) -> Step:
    from sklearn.decomposition import KernelPCA

    if kernel not in get_args(Kernel):
        raise ScreenError(f"there is no kernel {kernel!r}: use one of {', '.join(get_args(Kernel))}")
    if components < 1:
        raise ScreenError(f"kernel PCA needs at least one component, not {components}")
    fitted = KernelPCA(min(components, len(rows)), kernel=kernel, eigen_solver="dense").fit(rows)
    return lambda vectors: cast(Vectors, fitted.transform(vectors))


def _sphering(rows: Vectors) -> Step:
    try:
        from pycytominer.operations.transform import Spherize
    except ModuleNotFoundError as error:
        raise ScreenError(
            'sphering needs pycytominer: pip install "napari-cellclip[evaluate]", or use tvn'
        ) from error
    # Spherize has a check of its own, which lets everything pass and scales such dimensions by a million.
    if np.linalg.matrix_rank(rows - rows.mean(axis=0)) < min(len(rows) - 1, rows.shape[1]):
        raise ScreenError(
            "sphering cannot be fitted: some dimensions of the controls' embeddings are constant or repeat"
            " others; use tvn, which leaves such out"
        )
    fitted = Spherize(method="ZCA", return_numpy=True).fit(pd.DataFrame(rows))
    return lambda vectors: cast(Vectors, fitted.transform(pd.DataFrame(vectors)))
