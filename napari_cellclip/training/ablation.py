"""Ablations: one head for each variant of a grid, all scored on the same held-out wells, one table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_cellclip.model import Model, load_model
from napari_cellclip.model.card import CARD_FILE
from napari_cellclip.model.network.fingerprint_tokenizer import structure_in
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.screen.progress import finished
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.training.ablation_variants import ENCODER, PAPER, REMOVED, variants_of
from napari_cellclip.training.config import RunConfig
from napari_cellclip.training.data.run_split import split_of
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.splits import Split
from napari_cellclip.training.loop.validation import Retrieval, retrieval
from napari_cellclip.training.runs import iter_train
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

TABLE, SUMMARY, MODELS = "ablation.csv", "ablation.json", "models"
WAYS = ("text_to_image", "image_to_text")


def iter_ablate(
    screens: Mapping[str, Sequence[Screen]],
    out: str | Path,
    *,
    run: RunConfig | None = None,
    vary: Mapping[str, Sequence[str]] | None = None,
    seeds: Sequence[int] = (0,),
    cross: bool = False,
) -> Generator[Progress, None, pd.DataFrame]:
    """Train and score every variant of a grid; what is trained already is not trained again.

    All variants start from fresh weights, are trained on the same wells with the same settings but for what
    is varied, and are scored by cross-modal retrieval among the treatments of the same test part (see
    `napari_cellclip.training.loop.validation`). Only the seed of training changes between repetitions,
    never the
    split. A variant that cannot be trained is told in its row and does not end the others; it is tried again
    next time.

    Parameters
    ----------
    screens : mapping of str to sequence of Screen
        Screens by the channel encoder they were encoded with, under any names; the first is the baseline's.
        Each must hold the same wells.
    out : path
        Folder for the models, ``ablation.csv`` (a row for each variant and seed) and ``ablation.json`` (the
        same, with means and standard deviations over seeds). Closed early, the same call goes on from there.
    run : RunConfig, optional
        Settings of all variants.
    vary : mapping of str to sequence of str, optional
        Levels of each factor, the baseline's first, see `variants_of`. Where not given, the paper's
        ablations; the encoder is always varied where there are several.
    seeds : sequence of int
        Seeds of training.
    cross : bool
        Every combination of levels instead of one change at a time.

    Yields
    ------
    Progress
        Epochs, counted over all variants.

    Returns
    -------
    DataFrame
        As in ``ablation.csv``.

    Raises
    ------
    CellClipError
        If the grid or the settings cannot be used, the screens hold different wells, nothing is held out, or
        no variant could be trained.
    """
    run = run or RunConfig()
    if not screens or not all(screens.values()):
        raise CellClipError("an ablation needs at least one encoded screen of each encoder")
    if not seeds or len(set(seeds)) < len(seeds):
        raise CellClipError("name each seed once")
    levels = dict(PAPER if vary is None else vary)
    if ENCODER in levels and set(levels[ENCODER]) != set(screens):
        raise CellClipError(f"the levels of encoder are the names of the screens: {', '.join(screens)}")
    if ENCODER not in levels and len(screens) > 1:
        levels[ENCODER] = tuple(screens)
    cells = [
        (variant, variant.settings(run, seed), seed)
        for variant in variants_of(levels, cross=cross)
        for seed in seeds
    ]
    split = _common_split(screens, run)
    folder = from_home(out).resolve()
    default = next(iter(screens))
    jobs: dict[Path, tuple[Sequence[Screen], RunConfig]] = {}
    places: list[Path] = []
    for variant, settings, _ in cells:
        name = variant.levels.get(ENCODER, default)
        place = folder / MODELS / f"{variant.slug}-{_identity(screens[name], settings)}"
        jobs[place] = (screens[name], settings)
        places.append(place)
    errors: dict[Path, str] = {}
    rows: list[dict[str, Any]] = []
    for (variant, settings, seed), place in zip(cells, places, strict=True):
        if place not in errors and not (place / CARD_FILE).is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            number = list(jobs).index(place)
            try:
                yield from _trained(jobs[place], place, number, len(jobs), variant.name)
            except CellClipError as error:
                errors[place] = str(error)
        row: dict[str, Any] = {"variant": variant.name, "seed": seed, **variant.levels}
        if REMOVED in row:
            row[REMOVED] = variant.removed
        if place not in errors:
            try:
                model = load_model(place, device=settings.model.device)
                found = _score(model, jobs[place][0], settings, split, variant.removed)
                row |= _figures(found, model, place.relative_to(folder))
            except CellClipError as error:
                row["error"] = str(error)
        else:
            row["error"] = errors[place]
        rows.append(row)
        table = _written(folder, rows, run, split)
    if "error" in table and table["error"].ne("").all():
        raise CellClipError(f"no variant could be trained; the first: {table['error'].iloc[0]}")
    return table


def ablate(screens: Mapping[str, Sequence[Screen]], out: str | Path, **options: Any) -> pd.DataFrame:
    """Run :func:`iter_ablate` to its end; takes the same options."""
    return finished(iter_ablate(screens, out, **options))


def summary_of(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds, one row for each variant in the order of the table.

    Parameters
    ----------
    table : DataFrame
        From `iter_ablate`.

    Returns
    -------
    DataFrame
        Indexed by variant: ``seeds`` (those that worked), and for each figure its mean and ``… sd``
        (of a sample; 0 for a single seed).
    """
    figures = [name for name in table.columns if name.startswith(WAYS)]
    worked = table.dropna(subset=figures) if figures else table.iloc[:0]
    grouped = worked.groupby("variant", sort=False)
    found = grouped[figures].mean()
    for name in figures:
        found[f"{name} sd"] = grouped[name].std(ddof=1).fillna(0.0)
    found.insert(0, "seeds", grouped.size())
    return found.reindex(list(dict.fromkeys(worked["variant"])))


def _common_split(screens: Mapping[str, Sequence[Screen]], run: RunConfig) -> Split:
    """The split of all variants, after a look at whether all encoders saw the same wells."""
    splits = {name: split_of(group, run.split) for name, group in screens.items()}
    first, split = next(iter(splits.items()))
    for name, other in splits.items():
        for part, ids in split.parts.items():
            if odd := set(ids) ^ set(other.parts[part]):
                raise CellClipError(
                    f"the screens of {name} and of {first} differ in well {min(odd)} of the {part} part:"
                    " encode the same plates, with the same plate map, with each encoder"
                )
    if not split.test:
        raise CellClipError("an ablation is scored on a test part: give split.by and a third fraction")
    return split


def _trained(
    job: tuple[Sequence[Screen], RunConfig], place: Path, number: int, count: int, name: str
) -> Generator[Progress, None, None]:
    """Train one model; a stale folder of our own (interrupted) goes on."""
    screens, settings = job
    epochs = settings.training.epochs
    for step in iter_train(screens, place, run=settings):
        message = f"{number + 1} of {count}, {name}: {step.message}"
        yield replace(step, done=number * epochs + step.done, total=count * epochs, message=message)


def _score(
    model: Model, screens: Sequence[Screen], settings: RunConfig, split: Split, removed: int
) -> Retrieval:
    """Retrieval among the treatments of the test part, each well under its caption."""
    bags = bags_of(
        screens,
        model.card.prompts,
        cell_line=settings.data.cell_line,
        group_by=settings.data.group_by,
        captions=settings.captions,
        bag=settings.data.bag,
        negative_controls="leave out",
        wells=frozenset(split.test),
    )
    if model.card.text_tower == "fingerprint":
        bags = [bag for bag in bags if structure_in(bag.captions[0].text)]
    texts = [bag.captions[0].text for bag in bags]
    image = model.embed_wells([np.asarray(bag.features) for bag in bags], without_most_attended=removed)
    return retrieval(image, model.embed_texts(texts), texts)


def _figures(found: Retrieval, model: Model, place: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"pool": found.pool, "wells": found.wells}
    for way in WAYS:
        row |= {f"{way} {name}": value for name, value in getattr(found, way).items()}
    row |= {f"random {name}": found.random(name) for name in found.text_to_image}
    row["parameters"] = sum(p.numel() for p in model.cellclip.parameters())
    return row | {"model": place.as_posix(), "error": ""}


def _identity(screens: Sequence[Screen], settings: RunConfig) -> str:
    """8 hex digits over all that a training depends on, so that a changed grid reuses what fits it."""
    plain = settings.as_dict()
    del plain["data"]["screens"], plain["model"]["out"], plain["model"]["device"], plain["log"]
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for screen in screens:
        labels = screen.wells.reset_index().astype(str)
        digest.update(f"{screen.card.encoder_hash} {screen.card.card_hash} {list(labels.columns)}".encode())
        digest.update(pd.util.hash_pandas_object(labels, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:8]


def _written(folder: Path, rows: Sequence[Mapping[str, Any]], run: RunConfig, split: Split) -> pd.DataFrame:
    """The table so far, written whole."""
    table = pd.DataFrame(rows)
    if "error" in table:
        table["error"] = table["error"].fillna("")
    settings = run.as_dict()
    settings["data"]["screens"] = [Path(path).name for path in run.data.screens]
    content = {
        "what": "cross-modal retrieval among held-out treatments; each variant trained from fresh weights",
        "split": {"by": split.by, "seed": split.seed, **{k: len(v) for k, v in split.parts.items()}},
        "settings": settings,
        "variants": json.loads(summary_of(table).reset_index().to_json(orient="records")),
        "runs": json.loads(table.to_json(orient="records")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / TABLE, table.to_csv(index=False).encode())
    write_whole(folder / SUMMARY, (json.dumps(content, indent=1) + "\n").encode())
    return table
