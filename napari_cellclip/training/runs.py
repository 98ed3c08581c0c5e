"""A training run: encoded screens in, a model folder out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from napari_cellclip.model import CellCLIP, Model, load_model, resolve_device, save_model
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training.bags import bags_of
from napari_cellclip.training.heads import TrainingConfig, iter_fit
from napari_cellclip.vocabulary import CellClipError

CHECKPOINT = "checkpoint.pt"


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
    epoch when it is started again with the same settings.

    Parameters
    ----------
    screens : sequence of Screen
        Encoded with one and the same model, with plate maps that name the treatments.
    out : path
        Model folder to write; ``load_model(out)`` takes it.
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
        If there is nothing to learn from, or the screens do not fit together.
    """
    if not screens:
        raise CellClipError("training needs at least one encoded screen")
    config = config or TrainingConfig()
    config = replace(
        config, epochs=config.epochs if epochs is None else epochs, seed=config.seed if seed is None else seed
    )
    out = Path(out)
    start = screens[0].model
    bags = bags_of(screens, start.card.prompts, group_by=group_by)
    network = _network(start, config.seed, from_scratch).to(resolve_device(device))
    checkpoint = out / CHECKPOINT
    words = start.tokenizer
    yield from iter_fit(
        network, bags, words, config, unknown_token=words.vocabulary.index("[UNK]"), checkpoint=checkpoint
    )
    card = start.card.model_copy(
        update={
            "name": out.name,
            "title": f"{start.card.title or start.card.name}, trained further",
            "description": "",
            "trained_on": f"{len(bags)} wells of {', '.join(screen.name for screen in screens)};"
            f" loss {config.loss}, {config.epochs} epochs, seed {config.seed}.",
            "source": f"{'Channel encoder' if from_scratch else 'Weights'} of {start.card.name!r}:"
            f" {start.card.source}",
        }
    )
    save_model(out, card, start.encoder, network.cpu(), words)
    checkpoint.unlink(missing_ok=True)


def train(screens: Sequence[Screen], out: Path | str, **options: object) -> Model:
    """Run :func:`iter_train` to its end and load the model it wrote; takes the same options."""
    for _ in iter_train(screens, out, **options):  # type: ignore[arg-type]
        pass
    return load_model(out)


def _network(start: Model, seed: int, from_scratch: bool) -> CellCLIP:
    if not from_scratch:
        return copy.deepcopy(start.cellclip).cpu().requires_grad_(True)
    torch.manual_seed(seed)
    return CellCLIP(start.cellclip.config, pooling=start.cellclip.pooling)
