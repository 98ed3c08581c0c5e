"""A training run: encoded screens in, a model folder out."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from napari_cellclip.model import CellCLIP, Model, ModelCard, load_model, resolve_device, save_model
from napari_cellclip.model.card import CARD_FILE
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training.config import TrainingConfig
from napari_cellclip.training.heads import iter_fit
from napari_cellclip.training.screen_bags import bags_of
from napari_cellclip.vocabulary import CellClipError

CHECKPOINT = "checkpoint.pt"
_FURTHER = ", trained further"


def iter_train(
    screens: Sequence[Screen],
    out: Path | str,
    *,
    config: TrainingConfig | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    group_by: str = "treatment",
    from_scratch: bool = False,
) -> Iterator[Progress]:
    """Train a CellCLIP head on screens and their plate maps, and write it as a model folder.

    The head starts from the one the screens were encoded with. Closed early, the run goes on from its last
    epoch when it is started again with the same screens and settings.

    Parameters
    ----------
    screens : sequence of Screen
        Encoded with one and the same model, with plate maps that name the treatments.
    out : path
        Model folder to write: new, empty, or that of an interrupted run. ``load_model(out)`` takes it.
    config : TrainingConfig, optional
        Settings.
    epochs, seed : int, optional
        Take the place of those in `config`.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
    group_by : {"treatment", "mechanism"}
        Wells alike in this are never each other's negatives.
    from_scratch : bool
        Forget what the head knows and start from random weights; tokenizer and channel encoder stay.

    Yields
    ------
    Progress

    Raises
    ------
    CellClipError
        If there is nothing to learn from, the screens do not fit together, `out` holds other files, or its
        checkpoint is of another run.
    """
    if not screens:
        raise CellClipError("training needs at least one encoded screen")
    config = config or TrainingConfig()
    config = replace(
        config, epochs=config.epochs if epochs is None else epochs, seed=config.seed if seed is None else seed
    )
    out = Path(out).resolve()
    _require_free(out)
    start = screens[0].model
    bags = bags_of(screens, start.card.prompts, group_by=group_by)
    network = _network(start, config.seed, from_scratch).to(resolve_device(device))
    checkpoint = out / CHECKPOINT
    words = start.tokenizer
    yield from iter_fit(
        network,
        bags,
        words,
        config,
        unknown_token=words.vocabulary.index("[UNK]"),
        checkpoint=checkpoint,
        origin={
            "start model": start.card.card_hash,
            "start of the head": "random" if from_scratch else "the model's",
            "grouping": group_by,
            "screens": repr([(screen.name, list(screen.well_ids)) for screen in screens]),
        },
    )
    simulated, limits = _seen(start.card, screens)
    card = start.card.model_copy(
        update={
            "name": out.name,
            "title": (start.card.title or start.card.name).removesuffix(_FURTHER) + _FURTHER,
            "description": "",
            "simulated": simulated,
            "limits": limits,
            "trained_on": f"{len(bags)} wells of {', '.join(screen.name for screen in screens)};"
            f" loss {config.loss}, {config.epochs} epochs, seed {config.seed}.",
            "source": f"{'Channel encoder' if from_scratch else 'Weights'} of {start.card.name!r}:"
            f" {start.card.source}",
        }
    )
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_model(partial, card, start.encoder, network.cpu(), words)
    _require_free(out)
    shutil.rmtree(out, ignore_errors=True)  # nothing but our checkpoint
    partial.rename(out)


def train(screens: Sequence[Screen], out: Path | str, **options: object) -> Model:
    """Run :func:`iter_train` to its end and load the model it wrote; takes the same options."""
    for _ in iter_train(screens, out, **options):  # type: ignore[arg-type]
        pass
    return load_model(out)


def _require_free(out: Path) -> None:
    """Refuse a folder with anything but our own checkpoint in it: nothing is ever overwritten."""
    if not out.exists():
        return
    if not out.is_dir():
        raise CellClipError(f"{out} is a file: name a new folder for the model")
    if (out / CARD_FILE).exists():
        raise CellClipError(
            f"{out} already holds a model, and screens may have been encoded with it: train into a new folder"
        )
    ours = {CHECKPOINT, Path(CHECKPOINT).with_suffix(".partial").name}
    if others := sorted(path.name for path in out.iterdir() if path.name not in ours):
        raise CellClipError(f"{out} holds other files ({others[0]}, …): train into a new folder")


def _seen(card: ModelCard, screens: Sequence[Screen]) -> tuple[bool, str]:
    """Whether a model trained from this one saw simulated cells only, and the limits to state."""
    plates = [Path(plate.path) for screen in screens for plate in screen.plates.values()]
    marked = [any((at / "simulated.json").is_file() for at in (path, path.parent)) for path in plates]
    if not card.simulated or all(marked):
        return card.simulated, card.limits
    real = any(path.exists() and not mark for path, mark in zip(plates, marked, strict=True))
    about = "The channel encoder has seen simulated cells only."
    if not real:
        about += " Whether the head was trained on real ones is not known: its plates are no longer there."
    return not real, card.limits if about in card.limits else f"{card.limits} {about}".strip()


def _network(start: Model, seed: int, from_scratch: bool) -> CellCLIP:
    if not from_scratch:
        return copy.deepcopy(start.cellclip).cpu().requires_grad_(True)
    torch.manual_seed(seed)
    return CellCLIP(start.cellclip.config, pooling=start.cellclip.pooling)
