"""Bags of encoded screens: features, plate maps and a split in, what a head learns from out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pandas as pd

from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage.labels import perturbation
from napari_cellclip.training.config_sections import CaptionConfig
from napari_cellclip.training.data.bags import NEGATIVE_CONTROL, Bag, Caption, Features, group_of
from napari_cellclip.training.data.platemap_captions import FULL_ONLY, captions_of
from napari_cellclip.training.data.stored_features import FeaturesFile, StoredFeatures
from napari_cellclip.training.data.treatments import treatment_groups
from napari_cellclip.vocabulary import CellClipError, Kind, split_id
from napari_cellclip.vocabulary.identity import role_of


def bags_of(
    screens: Iterable[Screen],
    templates: PromptTemplates,
    *,
    cell_line: str = "U2OS",
    group_by: str = "treatment",
    captions: CaptionConfig | None = None,
    bag: str = "well",
    negative_controls: str = "each",
    empty_wells: str = "leave out",
    wells: Collection[str] | None = None,
    features: FeaturesFile | None = None,
) -> list[Bag]:
    """Make bags from encoded screens and their plate maps.

    Wells without a named perturbation are left out.

    Parameters
    ----------
    screens : iterable of Screen
        Encoded with one and the same channel encoder.
    templates : PromptTemplates
        Wording of the captions, from the model card.
    cell_line : str
        Used where the plate map names none.
    group_by : {"treatment", "mechanism"}
        What makes two wells the same perturbation; wells without a mechanism fall back to their treatment.
        A treatment is one under all its names, over all screens (see `treatment_names`).
    captions : CaptionConfig, optional
        Odds of the wordings; in full only where not given.
    bag : {"well", "perturbation"}
        The fields of a well, or of all wells of a perturbation and dose on a plate.
    negative_controls : {"each", "as one", "leave out"}
        Draw them as any well, all of a plate together as often as one treatment of it, or not at all.
    empty_wells : {"leave out", "untreated"}
        What becomes of wells without treatment.
    wells : collection of str, optional
        Ids of the wells to use; all where not given.
    features : FeaturesFile, optional
        Of these screens: bags read from it what is drawn. Where not given, they hold their features.

    Returns
    -------
    list of Bag

    Raises
    ------
    CellClipError
        If no well has both features and a caption, or screens differ in their encoder or share a plate.
    """
    screens = list(screens)
    same = treatment_names(pd.concat([screen.wells for screen in screens])) if screens else {}
    made: dict[tuple[str, ...], _Making] = {}
    hashes: set[str] = set()
    plates: set[str] = set()
    for screen in screens:
        hashes.add(screen.card.encoder_hash)
        if len(hashes) > 1:
            raise CellClipError(
                f"screen {screen.name} was encoded with another channel encoder than the first: encode all"
                " screens with the same model before training on them"
            )
        if twice := plates & set(screen.plates):
            raise CellClipError(
                f"plate {min(twice)} is in two of the screens: leave one of them out, or rename the plate"
            )
        plates |= set(screen.plates)
        sites = screen.fields
        of_well = sites.groupby("Metadata_Well_id", sort=False).indices
        used: list[tuple[str, _Making]] = []
        for well in screen.well_ids:
            if well not in of_well or (wells is not None and well not in wells):
                continue
            done = screen.perturbation(well)
            if done.is_negative_control and negative_controls == "leave out":
                continue
            known = captions_of(
                done, templates, cell_line, captions or FULL_ONLY, empty_wells=empty_wells == "untreated"
            )
            if known:
                group = group_of(done, group_by, same.get(well, ""))
                plate = split_id(well)[0]
                key = (well,) if bag == "well" else (plate, group_of(done), done.treatment, known[0].text)
                name = well if bag == "well" else f"{plate}/{done.treatment}"
                making = made.setdefault(
                    key, _Making(name, plate, group, known, group_of(done, "treatment", same.get(well, "")))
                )
                used.append((well, making))
        for _, together in groupby(used, key=lambda pair: split_id(pair[0])[0]):
            of_plate = list(together)
            rows = [of_well[well] for well, _ in of_plate]
            if features is not None:
                parts: list[Features] = [features.of(screen, some) for some in rows]
            else:
                # In half precision, as they are stored: nothing is lost, and half of the memory is enough.
                values = screen.features(list(map(str, sites.index[np.concatenate(rows)])))
                ends = np.cumsum([len(some) for some in rows])[:-1]
                parts = list(np.split(values.astype(np.float16), ends))
            for (_, making), part in zip(of_plate, parts, strict=True):
                making.features.append(part)
    if not made:
        raise CellClipError(
            "no well of these screens has both features and a named perturbation: add a plate map"
        )
    weights = _weights(list(made.values()), as_one=negative_controls == "as one")
    return [
        Bag(_joined(m.features), m.captions, m.group, weight, m.name, m.treatment)
        for m, weight in zip(made.values(), weights, strict=True)
    ]


def _joined(parts: Sequence[Features]) -> Features:
    stored = [part for part in parts if isinstance(part, StoredFeatures)]
    return StoredFeatures.joined(stored) if stored else np.concatenate(parts)


def treatment_names(wells: pd.DataFrame) -> dict[str, str]:
    """One name for each treatment, however its wells are named.

    Parameters
    ----------
    wells : DataFrame
        `Screen.wells`, of all screens that are learnt from.

    Returns
    -------
    dict of str to str
        By well id, of treated wells only. Treatments are told apart as the splits do (see `treatment_groups`:
        names in any case, structures in any spelling, genes), but that a knockout of a gene and its
        over-expression, which a split keeps together, are two.
    """
    rows = dict(zip(map(str, wells.index), wells.to_dict("records"), strict=True))
    treated = wells[[role_of(row) == "treatment" for row in wells.to_dict("records")]]
    keys: dict[str, tuple[int, str]] = {}
    names: dict[tuple[int, str], str] = {}
    for well, number in treatment_groups(treated, "compound").items():
        done = perturbation(rows[well])
        key = keys[well] = (number, str(done.kind) if done.kind in (Kind.CRISPR, Kind.ORF) else "")
        name = group_of(done)
        names[key] = min(names.get(key, name), name)
    return {well: names[key] for well, key in keys.items()}


@dataclass(slots=True)
class _Making:
    """A bag while it is filled."""

    name: str
    plate: str
    group: str
    captions: tuple[Caption, ...]
    treatment: str
    features: list[Features] = field(default_factory=list)


def _weights(made: Sequence[_Making], *, as_one: bool) -> list[float]:
    """1 each, or less for negative controls so that a plate's are drawn as often as one of its treatments."""
    if not as_one:
        return [1.0] * len(made)
    of_plate: dict[str, Counter[str]] = {}
    for m in made:
        of_plate.setdefault(m.plate, Counter())[m.group] += 1
    weights = []
    for m in made:
        groups = of_plate[m.plate]
        treatments = [count for group, count in groups.items() if group != NEGATIVE_CONTROL]
        usual = sum(treatments) / len(treatments) if treatments else groups[m.group]
        weights.append(min(1.0, usual / groups[m.group]) if m.group == NEGATIVE_CONTROL else 1.0)
    return weights
