"""Read a screen: the wells of encoded plates, from a folder, without torch or pixels."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.screen.correct import CorrectedEmbeddings, Method, correct
from napari_cellclip.screen.derive import iter_derive, iter_exclude
from napari_cellclip.screen.export import ExportedWells, as_anndata, export_format, write_profiles
from napari_cellclip.screen.progress import Progress, finished
from napari_cellclip.screen.quality import flagged_sites, site_quality, well_quality, with_exclusions
from napari_cellclip.screen.storage.compatibility import require_same_weights
from napari_cellclip.screen.storage.encoded_fields import EncodedFields
from napari_cellclip.screen.storage.exclusions import read_exclusions
from napari_cellclip.screen.storage.failures import FAILURE, WELL
from napari_cellclip.screen.storage.fitted_heads import fitted_to_screen, kept_model
from napari_cellclip.screen.storage.labels import label_table, merged, perturbation, read_labels, write_labels
from napari_cellclip.screen.storage.plan import read_plan
from napari_cellclip.screen.storage.previews import Previews, composite
from napari_cellclip.screen.storage.read_once import read_once
from napari_cellclip.screen.storage.screen_json import PlateRecord, ScreenRecord
from napari_cellclip.screen.wells import read_wells, wells_path, wells_table
from napari_cellclip.vocabulary import Control, Perturbation, ScreenError, Stain, split_id

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
        The folder.
    name : str
        Its name.

    Examples
    --------
    >>> screen = Screen.open("my-screen")                       # doctest: +SKIP
    >>> screen.wells[["Metadata_treatment"]].head()              # doctest: +SKIP
    >>> screen.embeddings.shape                                  # doctest: +SKIP
    (384, 512)
    """

    def __init__(self, path: Path, record: ScreenRecord, labels: pd.DataFrame) -> None:
        self.path = path
        self.name = path.resolve().name
        self._record = record
        self._labels = labels
        self._model: Model | None = None
        self._correction: CorrectedEmbeddings | None = None
        self._options: dict[str, Any] = {}
        self._reading, self._loading = RLock(), RLock()

    @classmethod
    def open(cls, path: str | Path) -> Screen:
        """Open a screen folder, finished or not.

        Raises
        ------
        ScreenError
            If the folder is no screen, is damaged, or was written by a newer program.
        """
        folder = Path(path)
        return cls(folder, ScreenRecord.read(folder), read_labels(folder))

    def __repr__(self) -> str:
        name = self._record.current.card.get("name")
        return (
            f"Screen({self.name!r}, {len(self.well_ids)} wells of {', '.join(self.plates)}, model {name!r})"
        )

    @property
    def plates(self) -> dict[str, PlateRecord]:
        """Plates by name: where they were, shape, pixel size, stains and display contrast."""
        return self._record.plates

    @property
    def card_hash(self) -> str:
        """Hash of the model card whose embeddings are shown."""
        return self._record.card_hash

    @read_once
    def card(self) -> ModelCard:
        """The model card whose embeddings are shown."""
        from napari_cellclip.model import ModelCard

        return ModelCard.model_validate(self._record.current.card)

    @property
    def origin(self) -> str:
        """Argument of `load_model` for the model that made the embeddings: its folder, or its name."""
        origin = self._record.current.origin
        if Path(origin).exists():
            return origin
        kept = kept_model(self.path, self.card.name)
        return self.card.name if kept is None else str(kept)

    @property
    def model(self) -> Model:
        """The model that made the embeddings, loaded when first asked for, once for all threads.

        Raises
        ------
        ModelError, ScreenError
            If it is not on this computer, another one goes by its name, or the screen has no head yet.
        """
        from napari_cellclip.model import load_model

        with self._loading:  # not the lock of the tables: they can be read while a model loads
            if self._model is None:
                self.require_head()
                model = load_model(self.origin)
                self.require_model(model)
                self._model = model
            return self._model

    @property
    def simulated(self) -> bool | None:
        """Whether its plates were simulated; ``None`` where their folders are gone."""
        folders = [Path(plate.path) for plate in self.plates.values()]
        if not folders or not all(folder.exists() for folder in folders):
            return None
        return all(any((at / "simulated.json").is_file() for at in (f, f.parent)) for f in folders)

    @property
    def has_head(self) -> bool:
        """Whether a CellCLIP head made the embeddings; else they are measured profiles, foreign to words."""
        return self.card.has_head

    def require_head(self) -> None:
        """Refuse a screen of measured profiles that no head has embedded yet.

        Raises
        ------
        ScreenError
            Says how to train one.
        """
        if not self.has_head:
            raise ScreenError(
                f"screen {self.name} holds measured profiles and no model that understands words: train a"
                f" head first (napari-cellclip train {self.path} --out MODEL), then embed the wells with it"
                f" (napari-cellclip derive {self.path} --model MODEL)"
            )

    def require_model(self, model: Model) -> None:
        """Refuse a model other than the one that made the embeddings.

        The channel encoder is not compared: it plays no part in what is asked of a screen.

        Raises
        ------
        ScreenError
            If the CellCLIP weights are others.
        """
        self.require_head()
        require_same_weights(self.name, self.card, model.card)

    @read_once
    def _plans(self) -> dict[str, pd.DataFrame]:
        return {name: read_plan(self.path, name) for name in self.plates}

    @read_once
    def _vectors(self) -> tuple[list[str], NDArray[np.float32], list[int]]:
        dim = int(self._record.current.card["embed_dim"])
        parts = [read_wells(wells_path(self.path, self.card_hash, name), dim) for name in self.plates]
        ids = [well for part in parts for well in part.ids]
        vectors = [part.vectors for part in parts] or [np.zeros((0, dim), np.float32)]
        return ids, np.concatenate(vectors), [len(sites) for part in parts for sites in part.sites]

    @read_once
    def wells(self) -> pd.DataFrame:
        """One row per well of the plates, embedded or not, indexed by well id.

        ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Row`` and ``Metadata_Column`` (0-based),
        ``Metadata_known``, ``Metadata_sites`` (those the embedding was made from), ``Metadata_all_sites``,
        then what the plate map says: ``Metadata_treatment``, ``Metadata_kind``, ``Metadata_control_type``,
        ``Metadata_smiles``, ``Metadata_genes`` (joined by ``|``), ``Metadata_mechanism``, ``Metadata_dose``
        (µM), ``Metadata_cell_line`` and any other column. Where sites are excluded, ``Metadata_Excluded``
        says of a well without any other site why.
        """
        ids, _, sites = self._vectors
        wells = wells_table(self._plans, self._labels, dict(zip(ids, sites, strict=True)))
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
        ids, vectors, _ = self._vectors
        if tuple(ids) == self.well_ids:
            return vectors
        rows = pd.Series(range(len(ids)), index=pd.Index(ids, dtype=object), dtype=int).reindex(
            self.wells.index
        )
        out = np.full((len(rows), vectors.shape[1]), np.nan, np.float32)
        there = rows.notna().to_numpy()
        out[there] = vectors[rows[there].astype(int).to_numpy()]
        return out

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
        """Return what was done to a well, as the plate map says.

        Raises
        ------
        ScreenError
            If the screen has no such well.
        """
        return perturbation(self.wells.loc[self._known(well)].to_dict())

    @read_once
    def _encoded(self) -> EncodedFields:
        return EncodedFields(self.path, self._record.current.encoder_hash, self._plans)

    @read_once
    def fields(self) -> pd.DataFrame:
        """One row per encoded site, indexed by site id: its plate, well, well id and number."""
        return self._encoded.table()

    @read_once
    def failures(self) -> pd.DataFrame:
        """Sites that could not be used: ``Metadata_Site_id``, ``Metadata_Well_id``, ``Metadata_Failure``."""
        return self._encoded.failures()

    @read_once
    def excluded(self) -> dict[str, str]:
        """Sites that are left out of the embeddings on request, with the reason of each."""
        return read_exclusions(self.path)

    @read_once
    def quality(self) -> pd.DataFrame:
        """Quality of every site, indexed by site id; NaN where it was not measured.

        ``Metadata_Plate``, ``Metadata_Well_id``, ``Metadata_Well``, ``Metadata_Site``; for each stain
        ``Quality_focus_DNA``, ``Quality_saturated_DNA`` and so on, and ``Quality_cells``
        (:func:`~napari_cellclip.plates.images.field_quality.measure_field`); ``Quality_flags``: what stands
        out on its plate (:func:`~napari_cellclip.screen.quality.flag_sites`); ``Metadata_Excluded``: why it
        is left out, empty where it is not.
        """
        return site_quality(self.path, self._plans, self.excluded)

    @read_once
    def well_quality(self) -> pd.DataFrame:
        """Quality of every well: see :func:`~napari_cellclip.screen.quality.well_quality`."""
        return well_quality(self.quality)

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
        sites = sum(len(plan) for plan in self._plans.values())
        used = self.fields[~self.fields.index.isin(list(self.excluded))]
        wells = used["Metadata_Well_id"].value_counts()
        return len(self._encoded.status) == sites and dict(wells) == dict(
            zip(self._vectors[0], self._vectors[2], strict=True)
        )

    def features(self, sites: Sequence[str]) -> NDArray[np.float32]:
        """Channel-encoder features of sites, float32 (n, 5, D), stains in the model card's order.

        Raises
        ------
        ScreenError
            If one of them was not encoded.
        """
        return self._encoded.features(sites, int(self._record.current.card["encoder"]["dim"]))

    def preview_stains(self, well: str) -> NDArray[np.uint8]:
        """Small picture of a well, uint8 (5, y, x) in the order of ``STAINS``, scaled by the plate's
        contrast.

        Raises
        ------
        ScreenError
            If there is none: no site of it was readable yet, or the run wrote no previews.
        """
        plate = split_id(self._known(well))[0]
        plan = self._plans[plate]
        shards = plan.loc[plan["Metadata_Well_id"] == well, "Metadata_shard"].unique().tolist()
        image = Previews(self.path, plate).read(well, shards)
        if image is None:
            reasons = self.failures.loc[self.failures[WELL] == well, FAILURE]
            raise ScreenError(
                f"there is no preview of well {well}" + (f": {reasons.iloc[0]}" if len(reasons) else "")
            )
        return image

    def preview(self, well: str) -> NDArray[np.uint8]:
        """Small picture of a well, uint8 (y, x, 3): its stains in their usual colours.

        Raises
        ------
        ScreenError
            As :meth:`preview_stains`.
        """
        return composite(self.preview_stains(well))

    def contrast(self, plate: str) -> dict[Stain, tuple[float, float]]:
        """Counts shown as black and as full colour, per stain, for a whole plate.

        Raises
        ------
        ScreenError
            If the screen has no such plate.
        """
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
            Only of this plate; where not given, of all.
        save : bool
            Keep the labels in the folder.

        Raises
        ------
        ScreenError
            If the screen has no such plate.
        """
        if plate is not None:
            self.contrast(plate)
        ids = [well for well in self.well_ids if plate is None or split_id(well)[0] == plate]
        labels = merged(self._labels, label_table(ids, platemap))
        if save:
            write_labels(self.path, labels)
        other = Screen(self.path, self._record, labels)
        other._model = self._model
        return other._corrected_as(self)

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
        other = Screen(self.path, self._record, self._labels)
        other._model = self._model
        if method != "none":
            vectors = other.embeddings.astype(np.float64)
            if self.has_head:
                vectors /= np.where(other.norms > 0, other.norms, 1)[:, None]
            corrected = Screen(self.path, self._record, self._labels)
            corrected._model = self._model
            corrected._correction = correct(vectors, other.wells, method, **options)
            corrected._options = dict(options)
            return corrected
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
        return as_anndata(self.wells, self.embeddings, self._about())

    def to_parquet(self, path: str | Path) -> Path:
        """Write a row per embedded well with ``Metadata_*`` and ``CellCLIP_*`` columns, as pycytominer has
        them, whole or not at all, and return the path.
        """
        return write_profiles(Path(path), self.wells, self.embeddings)

    def export(self, path: str | Path) -> Path:
        """Write the screen to a file in the format that its suffix names, and return its path.

        Parameters
        ----------
        path : path
            Ending in one of :data:`napari_cellclip.screen.export.EXPORTS`.

        Raises
        ------
        ScreenError
            If no format has that suffix, or a library it needs is not installed.
        """
        export_format(Path(path)).write(Path(path), self.exported())
        return Path(path)

    def exported(self, wells: Iterable[str] | None = None) -> ExportedWells:
        """Gather what an export holds: all wells, or those of these ids that the screen has."""
        wanted = slice(None) if wells is None else self.wells.index.isin(list(wells))
        return ExportedWells(self.wells.loc[wanted], self.embeddings[wanted], self._about())

    def _about(self) -> dict[str, Any]:
        plates = {name: plate.model_dump(mode="json") for name, plate in self.plates.items()}
        return {
            "model": str(self.card.name),
            "card": self.card.model_dump_json(),
            "card_hash": self.card_hash,
            "plates": json.dumps(plates),
            "failures": self.failures.astype(str),
            "correction": self._correction.described if self._correction is not None else "none",
        }

    def _known(self, well: str) -> str:
        if well not in self.wells.index:
            some = ", ".join(self.well_ids[:3])
            raise ScreenError(f"screen {self.name} has no well {well!r}; an id reads {some} …")
        return well
