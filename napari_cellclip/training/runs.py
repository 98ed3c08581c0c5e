"""A training run: encoded screens in, a model folder out."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_cellclip.model import Model, PromptTemplates, load_model, save_model
from napari_cellclip.model.card import CARD_FILE
from napari_cellclip.model.network.fingerprint_tokenizer import structure_in
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training.closed_form import iter_fit_closed_form
from napari_cellclip.training.config import RUN_FILE, RunConfig
from napari_cellclip.training.config_sections import DataConfig, SplitConfig, TrainingConfig
from napari_cellclip.training.data.bags import Bag
from napari_cellclip.training.data.platemap_captions import FULL_ONLY
from napari_cellclip.training.data.run_split import split_of
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.splits import Split
from napari_cellclip.training.data.stored_features import FEATURES_FILE, FeaturesFile, iter_write
from napari_cellclip.training.loop.checkpoints import partial_of
from napari_cellclip.training.loop.curves import LOG_FILE, TENSORBOARD_FOLDER
from napari_cellclip.training.loop.distributed import Processes, processes
from napari_cellclip.training.loop.fit import iter_fit
from napari_cellclip.training.loop.starting_weights import base_of, card_to_start_from, starting_point
from napari_cellclip.training.loop.trained_card import card_of
from napari_cellclip.training.loop.validation import score_bags
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

CHECKPOINT = "checkpoint.pt"


def iter_train(
    screens: Sequence[Screen],
    out: Path | str | None = None,
    *,
    run: RunConfig | None = None,
    config: TrainingConfig | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    group_by: str | None = None,
    from_scratch: bool | None = None,
) -> Generator[Progress, None, None]:
    """Train a CellCLIP head on screens and their plate maps, and write it as a model folder.

    The head starts from the one the screens were encoded with. Closed early, the run goes on from its last
    checkpoint when it is started again with the same screens and settings. Started by ``accelerate launch``
    or ``torchrun``, all processes share each batch; the first one writes.

    Parameters
    ----------
    screens : sequence of Screen
        Encoded with one and the same model, with plate maps that name the treatments.
    out : path, optional
        Model folder to write: new, empty, or that of an interrupted run. ``load_model(out)`` takes it. Where
        not given, the settings name it.
    run : RunConfig, optional
        All settings. Where not given, every well is learnt from under its full caption, and nothing is held
        out.
    config, epochs, seed, device, group_by, from_scratch
        Take the place of what `run` says: ``training`` as a whole, ``training.epochs``, ``training.seed``,
        ``model.device``, ``data.group_by``, ``model.from_scratch``.

    Yields
    ------
    Progress

    Raises
    ------
    CellClipError
        If there is nothing to learn from, the screens do not fit together, the split leaks or leaves a part
        empty, `out` holds other files, or its checkpoint is of another run.
    """
    if not screens:
        raise CellClipError("training needs at least one encoded screen")
    run = _settled(run, config, epochs, seed, device, group_by, from_scratch)
    run = run.merged(data={"screens": [str(screen.path) for screen in screens]})
    if not (out or run.model.out):
        raise CellClipError("say where the model shall be written: model.out in the settings, or --out")
    folder = from_home(out or run.model.out).resolve()
    team = processes(run.model.device)
    if team.main:
        _take_back(folder)
    team.wait()
    _require_free(folder)
    if run.model.image_tower == "prototypes":
        team.wait()  # each has seen that the folder is free
        failed: Exception | None = None
        if team.main:  # it takes seconds: the others have nothing to share
            try:
                yield from iter_fit_closed_form(screens, run, folder)
            except Exception as error:
                failed = error
        _end_together(team, failed)
        return
    base = base_of(screens, run.model)
    templates = card_to_start_from(screens[0], base).prompts
    if not run.captions.cell_line:
        templates = templates.without_cell_line()
    split = split_of(screens, run.split)
    reads = run.model.text_tower or (base.card.text_tower if base is not None else "bert")
    stored = None
    if sum(map(_gigabytes, screens)) > run.data.memory:
        stored = yield from _features_on_disk(screens, folder, team)
    bags = _bags_by_part(screens, run, split, templates, stored, structures_only=reads == "fingerprint")
    corpus = sorted({caption.text for bag in bags["train"] for caption in bag.captions})
    start = starting_point(screens, run, base, corpus)
    network, words = start.network.to(team.device), start.words
    fitted = yield from iter_fit(
        network,
        bags["train"],
        words,
        run.training,
        unknown_token=words.vocabulary.index("[UNK]"),
        checkpoint=folder / CHECKPOINT,
        origin={
            "start model": start.card.card_hash,
            "start of the head": "random" if start.fresh else "the model's",
            "grouping": run.data.group_by,
            "screens": repr([(screen.name, list(screen.well_ids)) for screen in screens]),
        },
        validation=bags["validation"],
        validating=run.validation,
        log=folder,
        tensorboard=run.log.tensorboard,
        processes=team,
    )
    failed = None
    if team.main:
        try:
            held = {part: found for part, found in bags.items() if part != "train" and found}
            scores = {part: score_bags(network, found, words, seen=corpus) for part, found in held.items()}
            counts = {part: len(found) for part, found in bags.items()}
            card = card_of(run, folder.name, start, screens, split, fitted, scores, counts)
            card = card.model_copy(update={"prompts": templates})
            partial = folder.with_name(f".{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            save_model(partial, card, start.encoder, network.cpu(), words)
            (partial / RUN_FILE).write_text(run.to_toml(), encoding="utf-8")
            _require_free(folder)
            shutil.copy(folder / LOG_FILE, partial)
            if run.log.tensorboard:
                shutil.copytree(folder / TENSORBOARD_FOLDER, partial / TENSORBOARD_FOLDER)
            _put(partial, folder)
        except Exception as error:
            failed = error
    _end_together(team, failed)


def _end_together(team: Processes, failed: Exception | None) -> None:
    """Let every process know whether the first one's model is written, so that nobody is left waiting."""
    failure = team.agree(f"{type(failed).__name__}: {failed}" if failed else "")
    if failed:
        raise failed
    if failure:
        raise CellClipError(
            f"the first process could not score or write the model ({failure}): see its message"
        )


def train(screens: Sequence[Screen], out: Path | str | None = None, **options: Any) -> Model:
    """Run :func:`iter_train` to its end and load the model it wrote; takes the same options."""
    for _ in iter_train(screens, out, **options):
        pass
    run = options.get("run")
    folder = from_home(out or (run.model.out if run is not None else ""))
    return load_model(folder.resolve())  # a folder, also where it is called as a known model


def _settled(
    run: RunConfig | None,
    config: TrainingConfig | None,
    epochs: int | None,
    seed: int | None,
    device: str | None,
    group_by: str | None,
    from_scratch: bool | None,
) -> RunConfig:
    """All settings of a run in one."""
    if run is None:
        run = RunConfig(
            data=DataConfig(negative_controls="each"), captions=FULL_ONLY, split=SplitConfig(by="none")
        )
    training = config or run.training
    training = replace(
        training,
        epochs=training.epochs if epochs is None else epochs,
        seed=training.seed if seed is None else seed,
    )
    run = run.model_copy(update={"training": training})
    changes: dict[str, dict[str, Any]] = {"data": {}, "model": {}}
    if group_by is not None:
        changes["data"]["group_by"] = group_by
    if device is not None:
        changes["model"]["device"] = device
    if from_scratch is not None:
        changes["model"]["from_scratch"] = from_scratch
    return run.merged(**changes)


def _bags_by_part(
    screens: Sequence[Screen],
    run: RunConfig,
    split: Split,
    templates: PromptTemplates,
    stored: FeaturesFile | None,
    *,
    structures_only: bool,
) -> dict[str, list[Bag]]:
    """Bags of training, validation and test; negative controls are nothing to retrieve."""
    bags: dict[str, list[Bag]] = {}
    for part, ids in split.parts.items():
        bags[part] = []
        if not ids:
            continue
        try:
            found = bags_of(
                screens,
                templates,
                cell_line=run.data.cell_line,
                group_by=run.data.group_by,
                captions=run.captions,
                bag=run.data.bag,
                negative_controls=run.data.negative_controls if part == "train" else "leave out",
                empty_wells=run.data.empty_wells if part == "train" else "leave out",
                wells=frozenset(ids),
                features=stored,
            )
        except CellClipError as error:
            if part == "train":
                raise
            raise CellClipError(f"the {part} part of the split is empty: {error}") from error
        bags[part] = _with_structure(found) if structures_only else found
    return bags


def _features_on_disk(
    screens: Sequence[Screen], folder: Path, team: Processes
) -> Generator[Progress, None, FeaturesFile]:
    """Copy the features to the run's folder, which all processes see; the copy is gone however a run ends."""
    path = folder / FEATURES_FILE
    failed: Exception | None = None
    if team.main:
        try:
            yield from iter_write(screens, path)
        except CellClipError as error:
            failed = error
    failure = team.agree(str(failed or ""))  # nobody is left waiting
    if failed:
        raise failed
    if failure:
        raise CellClipError(f"the first process could not copy the features ({failure})")
    found = FeaturesFile(path, screens)
    team.wait()
    if team.main:
        found.remove()
    return found


def _gigabytes(screen: Screen) -> float:
    """Size of a screen's features in half precision."""
    return len(screen.fields) * len(screen.card.stain_order) * screen.card.encoder.dim * 2 / 1e9


def _with_structure(bags: Sequence[Bag]) -> list[Bag]:
    """For a tower that reads structures: only captions that hold one, only bags that have such a caption."""
    kept = [replace(bag, captions=tuple(c for c in bag.captions if structure_in(c.text))) for bag in bags]
    if not (found := [bag for bag in kept if bag.captions]):
        raise CellClipError("a fingerprint tower needs captions with SMILES: add them to the plate map")
    return found


def _put(made: Path, folder: Path) -> None:
    """Move a finished folder to where the run's own (checkpoint, log) is; one of the two is always whole."""
    former = _former(folder)
    try:
        if folder.exists():
            shutil.rmtree(former, ignore_errors=True)
            folder.rename(former)
        made.rename(folder)
    except OSError as error:
        _take_back(folder)
        raise CellClipError(
            f"the trained model cannot be moved to {folder} ({error}): it is whole in {made}, move it by hand"
        ) from error
    shutil.rmtree(former, ignore_errors=True)


def _take_back(folder: Path) -> None:
    """Back to its place with the folder of a run that was stopped while its model was put there."""
    if not folder.exists() and _former(folder).is_dir():
        _former(folder).rename(folder)


def _former(folder: Path) -> Path:
    """Where the folder of a run lies while its model takes its place."""
    return folder.with_name(f".{folder.name}.former")


def _require_free(out: Path) -> None:
    """Refuse a folder with anything but our own files in it: nothing is ever overwritten."""
    if not out.exists():
        return
    if not out.is_dir():
        raise CellClipError(f"{out} is a file: name a new folder for the model")
    if (out / CARD_FILE).exists():
        raise CellClipError(
            f"{out} already holds a model, and screens may have been encoded with it: train into a new folder"
        )
    ours = {CHECKPOINT, partial_of(Path(CHECKPOINT)).name, LOG_FILE, TENSORBOARD_FOLDER, FEATURES_FILE}
    if others := sorted(path.name for path in out.iterdir() if path.name not in ours):
        raise CellClipError(f"{out} holds other files ({others[0]}, …): train into a new folder")
