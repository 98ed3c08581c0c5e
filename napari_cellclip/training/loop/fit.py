"""Training of CellCLIP heads on stored field features (Lu et al. 2025, arXiv 2506.06290, section 4)."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from napari_cellclip.model import CellCLIP
from napari_cellclip.screen import Progress
from napari_cellclip.training.config_sections import TrainingConfig, ValidationConfig
from napari_cellclip.training.data.bags import Bag, Tokenise
from napari_cellclip.training.loop.batches import Batches, fingerprint, one_by_one, usable
from napari_cellclip.training.loop.checkpoints import Checkpoint
from napari_cellclip.training.loop.curves import Curves
from napari_cellclip.training.loop.distributed import Processes
from napari_cellclip.training.loop.mechanism_score import mechanism_queries
from napari_cellclip.training.loop.stopping import Best
from napari_cellclip.training.loop.text_training import TextTraining
from napari_cellclip.training.loop.training_step import Stepper
from napari_cellclip.training.loop.validation import score
from napari_cellclip.vocabulary import CellClipError

FEWEST_QUERIES = 3
"""Mechanisms to ask for below which they pick no weights of their own accord."""

_SPOKEN = {"map": "mAP of mechanisms", "mrr": "MRR"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Course and result of a training.

    Attributes
    ----------
    epochs : int
        Done, those of an earlier part of the run included.
    best_epoch : int or None
        The epoch whose weights were kept; ``None`` where nothing was validated.
    best_score : float or None
        Their validation score.
    stopped_early : bool
        Whether patience ended it.
    """

    epochs: int
    best_epoch: int | None
    best_score: float | None
    stopped_early: bool


def iter_fit(
    network: CellCLIP,
    bags: Sequence[Bag],
    tokenise: Tokenise,
    config: TrainingConfig,
    *,
    unknown_token: int | None = None,
    checkpoint: Path | None = None,
    origin: Mapping[str, str] | None = None,
    validation: Sequence[Bag] = (),
    validating: ValidationConfig | None = None,
    log: Path | None = None,
    tensorboard: bool = False,
    processes: Processes | None = None,
) -> Generator[Progress, None, Fitted]:
    """Train a head in place, one report an epoch; the same seed gives the same weights.

    What a step draws follows from the seed and the step alone, so a run continued from its checkpoint ends
    exactly where an uninterrupted one does, and several processes draw what one alone would.

    Parameters
    ----------
    network : CellCLIP
        Trained in place on the device its parameters are on. Where it pools by ``"none"`` every field is a
        sample of its own.
    bags : sequence of Bag
        Wells to learn from.
    tokenise : callable
        Texts to token ids and mask.
    config : TrainingConfig
        Settings.
    unknown_token : int, optional
        Id put in place of dropped words; needed if ``config.word_dropout`` is not 0.
    checkpoint : Path, optional
        Written after every epoch (atomically); read at the start if it is there and fits.
    origin : mapping of str to str, optional
        What else the run depends on, named for a reader. A checkpoint is continued only with the same origin,
        settings, wells and captions.
    validation : sequence of Bag
        Wells to validate on, each under its first caption. With them the weights of the best validation are
        what is left in the network, those of the warm-up not counted. What it starts from is validated
        too, as row 0 of the log.
    validating : ValidationConfig, optional
        Which score, how often, and for how long to wait for a better one.
    log : Path, optional
        Folder for ``log.csv``.
    tensorboard : bool
        Also write TensorBoard events there.
    processes : Processes, optional
        The processes that share each batch; alone where not given.

    Yields
    ------
    Progress
        Epochs done, with the mean loss in the message.

    Returns
    -------
    Fitted

    Raises
    ------
    CellClipError
        If there are fewer than two groups of wells, features do not fit the network or are not finite, the
        loss does not fit it or becomes infinite, or the checkpoint belongs to another run.
    """
    processes = processes or Processes(network.logit_scale.device)
    validating = validating or ValidationConfig()
    bags = usable(bags, network.config.stains, network.config.feature_width)
    if len({bag.group for bag in bags}) < 2:
        raise CellClipError("training needs wells of at least two different perturbations")
    validation = usable(validation, network.config.stains, network.config.feature_width)
    run = {
        "settings": asdict(config),
        "architecture": repr((network.config, network.pooling)),
        **(origin or {}),
        "wells or captions": fingerprint(bags),
        "validation": repr((fingerprint(validation), validating)) if validation else "none",
    }
    if network.pooling == "none":
        bags = one_by_one(bags)
    batches = Batches(bags, config, rank=processes.rank, world=processes.world)
    further = {bag.captions[0].text for bag in validation} - set(batches.texts)
    texts = (*batches.texts, *sorted(further))  # those of the batches first: they count theirs from 0
    deciding = _score_to_use(validating, network, validation, batches.texts)
    with TextTraining(network, texts, tokenise, config, unknown_token) as text:
        total = batches.steps * config.epochs
        stepper = Stepper(network, text, config, total, processes)
        found = Checkpoint.read(checkpoint, run) if checkpoint is not None else None
        if found is not None:
            _continue(found, network, stepper)
        done = found.epoch if found is not None else 0
        best = Best(validating.patience, validating.every, found.best if found is not None else None)
        curves = Curves(
            log if processes.main else None,
            tensorboard=tensorboard,
            position=found.log if found is not None else 0,
            step=found.step if found is not None else 0,
        )

        # On few wells the warm-up lasts many epochs: what scores best there is hardly trained.
        warming = min(-(-config.warmup_of(total) // batches.steps), config.epochs - 1)

        def validate(epoch: int) -> dict[str, float]:
            """Figures of the weights as they are; the main process's, so that all decide alike."""
            mine = score(network, validation, text.embed, batches.texts) if processes.main else None
            scored = processes.agree(mine)
            assert scored is not None
            if epoch > warming:  # the start and the warm-up are logged for comparison, not kept
                best.see(network, epoch, scored.score(deciding))
            return scored.figures

        with closing(curves), ThreadPoolExecutor(1) as ahead:
            if validation and found is None:
                curves.add(0, 0, validate(0))
            upcoming = ahead.submit(batches, done * batches.steps)
            for epoch in range(done + 1, config.epochs + 1):
                if best.over(epoch - 1):
                    break
                losses = []
                for step in range((epoch - 1) * batches.steps, epoch * batches.steps):
                    batch = upcoming.result()
                    upcoming = ahead.submit(batches, step + 1)  # while this one is computed
                    figures = stepper(step, batch)
                    losses.append(figures["loss"])
                    last = step + 1 == epoch * batches.steps
                    if last and validation and (epoch % validating.every == 0 or epoch == config.epochs):
                        figures |= validate(epoch)
                    curves.add(step + 1, epoch, figures)
                done = epoch
                if checkpoint is not None and processes.main and epoch % config.checkpoint_every == 0:
                    _save(checkpoint, run, epoch, batches.steps, network, stepper, best, curves.position)
                processes.wait()
                yield Progress(
                    epoch, config.epochs, _message(losses, network, figures, best, deciding), stage="training"
                )
        best.restore(network)
    network.eval()
    return Fitted(done, best.epoch, best.score, stopped_early=best.over(done) and done < config.epochs)


def _continue(found: Checkpoint, network: CellCLIP, stepper: Stepper) -> None:
    network.load_state_dict(found.model)
    stepper.optimiser.load_state_dict(dict(found.optimiser))
    stepper.scaler.load_state_dict(dict(found.scaler))


def _save(
    path: Path,
    run: Mapping[str, object],
    epoch: int,
    steps: int,
    network: CellCLIP,
    stepper: Stepper,
    best: Best,
    log: int,
) -> None:
    Checkpoint(
        run=run,
        epoch=epoch,
        step=epoch * steps,
        model=network.state_dict(),
        optimiser=stepper.optimiser.state_dict(),
        scaler=stepper.scaler.state_dict(),
        best=best.state,
        log=log,
    ).write(path)


def _score_to_use(
    validating: ValidationConfig, network: CellCLIP, bags: Sequence[Bag], seen: Collection[str]
) -> str:
    """Name of the figure that picks the weights.

    Names and structures of unseen compounds say little about measured profiles: retrieval by full captions
    stays near a random order there, and would pick weights at random.
    """
    askable = len(mechanism_queries(bags, seen)) >= FEWEST_QUERIES
    if validating.score == "auto":
        return "map" if askable and network.config.features else "mrr"
    if bags and validating.score == "map" and not mechanism_queries(bags, seen):
        raise CellClipError(
            "validation.score = 'map' needs held-out treatments of mechanisms that training has seen: use"
            " 'mrr'"
        )
    return validating.score


def _message(
    losses: list[float], network: CellCLIP, figures: Mapping[str, float], best: Best, deciding: str
) -> str:
    words = f"loss {np.mean(losses):.3f}, temperature 1/{network.logit_scale.exp().item():.1f}"
    if (found := figures.get(f"validation_{deciding}")) is not None:
        known = f"best epoch {best.epoch}" if best.epoch is not None else "warming up"
        words += f", validation {_SPOKEN.get(deciding, deciding)} {found:.3f} ({known})"
    return words
