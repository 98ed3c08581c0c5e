"""Read a screen: the wells of encoded plates, from a folder, without torch or pixels."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.correct import CorrectedEmbeddings, Method, correct
from napari_cellclip.screen.derive import iter_derive, iter_exclude
from napari_cellclip.screen.export import ExportedWells, about, as_anndata, export_format, write_profiles
from napari_cellclip.screen.progress import Progress, finished
from napari_cellclip.screen.quality import flagged_sites, with_exclusions
from napari_cellclip.screen.screen_model import ScreenModel
from napari_cellclip.screen.screen_tables import ScreenTables
from napari_cellclip.screen.storage.files import screen_folder
from napari_cellclip.screen.storage.fitted_heads import fitted_to_screen
from napari_cellclip.screen.storage.labels import label_table, merged, perturbation, read_labels, write_labels
from napari_cellclip.screen.storage.previews import composite
from napari_cellclip.screen.storage.reading import read_once
from napari_cellclip.screen.storage.screen_json import PlateRecord, ScreenRecord
from napari_cellclip.screen.wells import wells_table
from napari_cellclip.vocabulary import Control, Perturbation, ScreenError, Stain, split_id
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_cellclip.model import Model, ModelCard
    from napari_cellclip.plates import PlateMap


class Screen:
    """Encoded wells of one or more plates, by one model.

    Opened with :meth:`open`. Tables are read when first asked for, once for all threads; open the folder
    again to see what a run has added since.

    Attributes
    ----------
    path : Path
    name : str
        Of the folder.

    Examples
    --------
    >>> screen = Screen.open("my-screen")                       # doctest: +SKIP
    >>> screen.embeddings.shape                                  # doctest: +SKIP
    (384, 512)
    """

    def __init__(self, path: Path, record: ScreenRecord, labels: pd.DataFrame) -> None:
        self.path = path
        self.name = path.resolve().name
        self._record = record
        self._labels = labels
        self._tables = ScreenTables(path, record)
        self._model = ScreenModel(path, record.current)
        self._correction: CorrectedEmbeddings | None = None
        self._options: dict[str, Any] = {}
        self._reading = RLock()

    @classmethod
    def open(cls, path: str | Path) -> Screen:
        """Open a screen, finished or not: a folder, or an address in an object store, ``s3://bucket/screen``.

        Raises
        ------
        ScreenError
            If the folder is no screen, is damaged, or was written by a newer program.
        """
        folder = screen_folder(path)
        return cls(folder, ScreenRecord.read(folder), read_labels(folder))

    def __repr__(self) -> str:
        name, of = self._record.current.card.get("name"), ", ".join(self.plates)
        return f"Screen({self.name!r}, {len(self.well_ids)} wells of {of}, model {name!r})"

    @property
    def plates(self) -> dict[str, PlateRecord]:
        """Plates by name: where they were, shape, pixel size, stains and display contrast."""
        return self._record.plates

    @property
    def card_hash(self) -> str:
        """Hash of the model card whose embeddings are shown."""
        return self._record.card_hash

    @property
    def card(self) -> ModelCard:
        """The model card whose embeddings are shown."""
        return self._model.card

    @property
    def origin(self) -> str:
        """Argument of `load_model` for the model that made the embeddings: its folder, or its name."""
        return self._model.origin

    @property
    def model(self) -> Model:
        """The model that made the embeddings, loaded when first asked for, once for all threads.

        Raises
        ------
        ModelError, ScreenError
            If it is not on this computer, another one goes by its name, or the screen has no head yet.
        """
        return self._model.load()

    @property
    def simulated(self) -> bool | None:
        """Whether its plates were simulated; ``None`` where their folders are gone."""
        return self._record.simulated

    @property
    def has_head(self) -> bool:
        """Whether a CellCLIP head made the embeddings; else they are measured profiles, foreign to words."""
        return self.card.has_head

    def require_head(self) -> None:
        """Refuse a screen of measured profiles that no head has embedded yet, by a `ScreenError`."""
        self._model.require_head()

    def require_model(self, model: Model) -> None:
        """Refuse a model of other CellCLIP weights than the embeddings', by a `ScreenError`.

        The channel encoder is not compared: it plays no part in what is asked of a screen.
        """
        self._model.require(model)

    @read_once
    def wells(self) -> pd.DataFrame:
        """One row per well of the plates, embedded or not, indexed by well id: place, sites, plate map.

        Columns as of :func:`~napari_cellclip.screen.wells.wells_table`. Where sites are excluded,
        ``Metadata_Excluded`` says of a well without any other site why.
        """
        wells = wells_table(self._tables.places, self._labels, self._tables.used_sites)
        return with_exclusions(wells, self.excluded) if self.excluded else wells

    @property
    def well_ids(self) -> tuple[str, ...]:
        """Ids of the wells, in the order of `wells` and `embeddings`."""
        return tuple(self.wells.index)

    @read_once
    def embeddings(self) -> NDArray[np.float32]:
        """Well embeddings, float32 (n_wells, E), not normalised; NaN where no site was encoded."""
        if self._correction is not None:
            return self._correction.vectors.astype(np.float32)
        return self._tables.embeddings

    @property
    def tables(self) -> ScreenTables:
        """Tables as stored, without labels or correction; embeddings also plate by plate."""
        return self._tables

    @read_once
    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of each embedding, float32 (n_wells,); NaN where there is none."""
        return np.sqrt(np.einsum("ij,ij->i", self.embeddings, self.embeddings))

    @read_once
    def plate_codes(self) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        """Plate of each well as a position in the names that follow, and these names."""
        codes, names = pd.factorize(self.wells["Metadata_Plate"])
        return codes, tuple(names)

    @read_once
    def negative_controls(self) -> NDArray[np.bool_]:
        """Mask of the wells that are negative controls (vehicle, non-targeting guides), bool (n_wells,)."""
        return np.asarray(self.wells["Metadata_control_type"] == str(Control.NEGATIVE), bool)

    @read_once
    def cell_lines(self) -> tuple[str, ...]:
        """Cell lines that the plate map names."""
        if "Metadata_cell_line" not in self.wells:
            return ()
        return tuple(str(line) for line in self.wells["Metadata_cell_line"].dropna().unique() if line)

    @property
    def control_ids(self) -> tuple[str, ...]:
        """Ids of the negative controls."""
        return tuple(self.wells.index[self.negative_controls])

    def perturbation(self, well: str) -> Perturbation:
        """Return what was done to a well, as the plate map says; `ScreenError` if there is no such well."""
        return perturbation(self.wells.loc[self._known(well)].to_dict())

    @property
    def fields(self) -> pd.DataFrame:
        """One row per encoded site, indexed by site id: its plate, well, well id and number."""
        return self._tables.fields

    @property
    def failures(self) -> pd.DataFrame:
        """Sites that could not be used: ``Metadata_Site_id``, ``Metadata_Well_id``, ``Metadata_Failure``."""
        return self._tables.failures

    @property
    def excluded(self) -> dict[str, str]:
        """Sites that are left out of the embeddings on request, with the reason of each."""
        return self._tables.excluded

    @property
    def quality(self) -> pd.DataFrame:
        """Quality of every site, by site id: see :func:`~napari_cellclip.screen.quality.site_quality`."""
        return self._tables.quality

    @property
    def well_quality(self) -> pd.DataFrame:
        """Quality of every well: see :func:`~napari_cellclip.screen.quality.well_quality`."""
        return self._tables.well_quality

    def exclude(self, sites: Mapping[str, str] | Sequence[str], model: Model | None = None) -> Screen:
        """Leave sites out of their wells' embeddings, and return the screen as it is then; no pixel is read.

        Wells of which no site is left keep their row, without an embedding.

        Parameters
        ----------
        sites : mapping of str to str, or sequence of str
            All sites to leave out, by id with a reason each; or flags, such as ``["out of focus"]``, for the
            sites that are flagged so. Empty: none is left out any more.
        model : Model, optional
            Where not given, the screen's own is loaded.

        Raises
        ------
        ScreenError
            If a site or a flag does not exist.
        """
        return finished(self.iter_exclude(sites, model))

    def iter_exclude(
        self, sites: Mapping[str, str] | Sequence[str], model: Model | None = None
    ) -> Generator[Progress, None, Screen]:
        """Leave sites out with progress after each group of wells; else as :meth:`exclude`."""
        chosen = sites if isinstance(sites, Mapping) else flagged_sites(self.quality, sites)
        record = yield from iter_exclude(self.path, model or self.model, chosen)
        return Screen(self.path, record, self._labels)._corrected_as(self)

    @property
    def complete(self) -> bool:
        """Whether every site was encoded or has failed, and every well with a good site is embedded."""
        return self._tables.complete

    def features(self, sites: Sequence[str]) -> NDArray[np.float32]:
        """Channel-encoder features of sites, float32 (n, 5, D), stains in the model card's order.

        Raises
        ------
        ScreenError
            If one of them was not encoded.
        """
        return self._tables.encoded.features(sites, int(self._record.current.card["encoder"]["dim"]))

    def preview_stains(self, well: str) -> NDArray[np.uint8]:
        """Small picture of a well, uint8 (5, y, x) in the order of ``STAINS``, scaled by the plate's
        contrast; `ScreenError` if no site of it was readable yet, or the run wrote no previews.
        """
        return self._tables.preview_stains(self._known(well))

    def preview(self, well: str) -> NDArray[np.uint8]:
        """Small picture of a well, uint8 (y, x, 3), stains in their usual colours; as `preview_stains`."""
        return composite(self.preview_stains(well))

    def contrast(self, plate: str) -> dict[Stain, tuple[float, float]]:
        """Counts shown as black and as full colour, per stain; `ScreenError` if there is no such plate."""
        if plate not in self.plates:
            raise ScreenError(f"screen {self.name} has no plate {plate!r}; it has {', '.join(self.plates)}")
        return self.plates[plate].contrast

    def with_platemap(self, platemap: PlateMap, *, plate: str | None = None, save: bool = False) -> Screen:
        """Return this screen with other labels; nothing is encoded again.

        Parameters
        ----------
        platemap : PlateMap
            New labels.
        plate : str, optional
            Only of this plate, of which there must be one; where not given, of all.
        save : bool
            Keep the labels in the folder.
        """
        if plate is not None:
            self.contrast(plate)
        ids = [well for well in self.well_ids if plate is None or split_id(well)[0] == plate]
        given = label_table(ids, platemap)
        if save:  # beside those of plates that a run has added since this screen was opened
            write_labels(self.path, merged(read_labels(self.path), given))
        return self._with(merged(self._labels, given))._corrected_as(self)

    @property
    def correction(self) -> CorrectedEmbeddings | None:
        """Correction of `embeddings`; ``None`` where they are as the model made them."""
        return self._correction

    def correct(self, method: Method, **options: Any) -> Screen:
        """Return this screen with batch effects taken out of its embeddings; nothing is written.

        Maps and questions by example then rest on the corrected embeddings, and answers say so. Words meet
        them only through the same transform, which exists for ``sphering``; other methods refuse them.
        Embeddings of a model are corrected on the unit sphere, where their cosines are.

        Parameters
        ----------
        method : str
            See :func:`~napari_cellclip.screen.correct.correct`; ``"none"`` takes a correction off again.
        **options
            As of that function.

        Raises
        ------
        ScreenError
            If controls are too few, or there is one plate where a method needs several.
        """
        other = self._with(self._labels)
        if method != "none":
            vectors = other.embeddings.astype(np.float64)
            if self.has_head:
                vectors /= np.where(other.norms > 0, other.norms, 1)[:, None]
            correction = correct(vectors, other.wells, method, **options)
            other = self._with(self._labels)
            other._correction, other._options = correction, dict(options)
        return other

    def _with(self, labels: pd.DataFrame) -> Screen:
        """Return this screen with these labels, uncorrected; what was read is not read again."""
        other = Screen(self.path, self._record, labels)
        other._tables, other._model = self._tables, self._model
        return other

    def _corrected_as(self, before: Screen) -> Screen:
        """Return this screen with the correction that another state of it has, fitted anew."""
        if before._correction is None:
            return self
        return self.correct(before._correction.method, **before._options)

    def derive_wells(self, model: Model | None = None) -> Screen:
        """Embed wells from the features that are stored, and return the screen as it is then.

        With the screen's own model this finishes a cancelled run. With another one of the same channel
        encoder, such as a head trained on these very features, the screen shows that model from now on; what
        the former one made stays in the folder. A head that was fitted in closed form to measured profiles is
        fitted anew to the features that this screen has, and kept in its folder. No pixel is read.

        Parameters
        ----------
        model : Model, optional
            Where not given, the screen's own is loaded.

        Raises
        ------
        ScreenError
            If the features are not of this model's channel encoder.
        """
        fitted = self.model if model is None else fitted_to_screen(self.path, self.card, model)
        record = finished(iter_derive(self.path, fitted))
        return Screen(self.path, record, self._labels)._corrected_as(self)

    def to_anndata(self) -> AnnData:
        """Hand over embedded wells: `obs` wells, `X` embeddings, `uns` card, failures and wells left out."""
        return as_anndata(self.wells, self.embeddings, self.exported().about)

    def to_parquet(self, path: str | Path) -> Path:
        """Write ``Metadata_*`` and ``CellCLIP_*`` columns of embedded wells, as pycytominer has them."""
        return write_profiles(from_home(path), self.wells, self.embeddings)

    def export(self, path: str | Path) -> Path:
        """Write the screen in the format that a file's suffix names, and return its path.

        Suffixes are those of :data:`napari_cellclip.screen.export.EXPORTS`.

        Raises
        ------
        ScreenError
            If no format has that suffix, or a library it needs is not installed.
        """
        file = from_home(path)
        export_format(file).write(file, self.exported())
        return file

    def exported(self, wells: Iterable[str] | None = None) -> ExportedWells:
        """Gather what an export holds: all wells, or those of these ids that the screen has."""
        wanted = slice(None) if wells is None else self.wells.index.isin(list(wells))
        state = "none" if self._correction is None else self._correction.described
        more = about(self.card, self.card_hash, self.plates, self.failures, state)
        return ExportedWells(self.wells.loc[wanted], self.embeddings[wanted], more)

    def _known(self, well: str) -> str:
        if well not in self.wells.index:
            of = f"an id reads {', '.join(self.well_ids[:3])} …"
            raise ScreenError(f"screen {self.name} has no well {well!r}; {of}")
        return well
