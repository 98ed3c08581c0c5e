"""What the card of a trained model says: data, split, scores, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_cellclip.model import ModelCard
from napari_cellclip.model.card import VOCABULARY
from napari_cellclip.screen import Screen
from napari_cellclip.training.config import RunConfig
from napari_cellclip.training.data.platemap_captions import caption_of, platemap_vocabulary
from napari_cellclip.training.data.splits import SPLIT_WELLS, Split
from napari_cellclip.training.loop.fit import Fitted
from napari_cellclip.training.loop.starting_weights import Start
from napari_cellclip.training.loop.validation import Retrieval

MECHANISMS_BY_WORDS = "mechanisms-by-words"
"""Key of a card's scores: the text tower is proven, or not, by what stands there (`ask` reads it)."""

MOST_LISTED = 5000
"""Things beyond which a card does not list them: it goes into every screen."""

_FURTHER = ", trained further"

_SEEN = (
    "Validation and test hold the same treatments as training, on other plates: their figures say how well"
    " seen treatments are found again, possibly by their place on the plate, and nothing about new ones."
)


def card_of(
    run: RunConfig,
    name: str,
    start: Start,
    screens: Sequence[Screen],
    split: Split,
    fitted: Fitted,
    scores: Mapping[str, Retrieval],
    counts: Mapping[str, int],
) -> ModelCard:
    """Card of the model that a run made.

    Parameters
    ----------
    run : RunConfig
        Its settings.
    name : str
        Of the model.
    start : Start
        What it started from.
    screens : sequence of Screen
        What it learnt from.
    split : Split
        What was held out.
    fitted : Fitted
        How it went.
    scores : mapping of str to Retrieval
        Retrieval by part.
    counts : mapping of str to int
        Bags by part.
    """
    simulated, limits = seen(start.card, screens)
    base, config = start.card, run.training
    if scores and split.by == "plate":
        limits = f"{limits} {_SEEN}".strip()
    if not scores:
        limits = f"{limits} Nothing was held out in training, so that it has no scores of its own.".strip()
    fresh = base.model_copy(update={"description": "", "limits": ""}) if not base.has_head else base
    return fresh.model_copy(
        update={
            "name": name,
            "title": _title(base),
            "description": "",
            "embed_dim": start.network.config.embed_dim,
            "simulated": simulated,
            "limits": limits,
            "trained_on": f"{counts['train']} {_bags(run)} of {', '.join(s.name for s in screens)};"
            f" {_held_out(split, counts)}loss {config.loss}, {fitted.epochs} epochs"
            f"{_kept(fitted)}, seed {config.seed}.",
            "source": _source(start),
            "training": plain_settings(run, name)
            | {SPLIT_WELLS: split.digests}
            | _vocabulary(run, start, screens, split),
            "scores": scores_of(scores, screens, split),
        }
    )


def seen(card: ModelCard, screens: Sequence[Screen]) -> tuple[bool, str]:
    """Tell whether a model trained from this one saw simulated cells only, and give the limits to state."""
    plates = [Path(plate.path) for screen in screens for plate in screen.plates.values()]
    marked = [any((at / "simulated.json").is_file() for at in (path, path.parent)) for path in plates]
    if not card.simulated or all(marked):
        return card.simulated, card.limits
    real = any(path.exists() and not mark for path, mark in zip(plates, marked, strict=True))
    about = "The channel encoder has seen simulated cells only."
    if not real:
        about += " Whether the head was trained on real ones is not known: its plates are no longer there."
    return not real, card.limits if about in card.limits else f"{card.limits} {about}".strip()


def plain_settings(run: RunConfig, name: str) -> dict[str, Any]:
    """Give the settings of a run without the paths of the computer it ran on."""
    plain = run.as_dict()
    plain["data"]["screens"] = [Path(path).name for path in run.data.screens]
    plain["model"]["out"] = name
    for key in ("start", "text_from"):
        plain["model"][key] = Path(plain["model"][key]).name
    return plain


def scores_of(scores: Mapping[str, Retrieval], screens: Sequence[Screen], split: Split) -> dict[str, Any]:
    """Write the scores of a run for its card: by part, with pool and random baseline.

    Parameters
    ----------
    scores : mapping of str to Retrieval
        By part.
    screens : sequence of Screen
        That the parts are of.
    split : Split
    """
    treatments = "seen treatments on other plates" if split.by == "plate" else "unseen treatments"
    date = datetime.now(UTC).date().isoformat()

    def data(part: str) -> str:
        names = ", ".join(screen.name for screen in screens)
        return f"{part} part of {names}, split by {split.by}: {treatments}"

    written: dict[str, Any] = {
        f"retrieval-{part}": {
            "date": date,
            "data": f"{data(part)}, negative controls left out, cosine, ties counted against the model",
            "figures": found.as_dict(),
        }
        for part, found in scores.items()
    }
    tested = scores.get("test")
    # What is found again of seen treatments is no proof that words say something about new ones.
    if tested is not None and tested.mechanisms is not None and split.by != "plate":
        written[MECHANISMS_BY_WORDS] = {
            "date": date,
            "data": f"{data('test')}, mechanisms that training has seen with other treatments",
            "figures": tested.mechanisms.as_dict(),
        }
    return written


def _title(base: ModelCard) -> str:
    if not base.has_head:
        return f"Head on {base.title or base.name}"
    return (base.title or base.name).removesuffix(_FURTHER) + _FURTHER


def _source(start: Start) -> str:
    base = start.card
    if not base.has_head:
        return f"Fresh weights on measured profiles ({base.encoder.name})."
    return f"{'Channel encoder' if start.fresh else 'Weights'} of {base.name!r}: {base.source}"


def _bags(run: RunConfig) -> str:
    return "wells" if run.data.bag == "well" else "perturbations"


def _held_out(split: Split, counts: Mapping[str, int]) -> str:
    if split.by == "none":
        return ""
    return (
        f"split by {split.by} (seed {split.seed}), {counts['validation']} held out for validation and"
        f" {counts['test']} for test (negative controls not counted); "
    )


def _kept(fitted: Fitted) -> str:
    if fitted.best_epoch is None:
        return ""
    early = " (stopped early)" if fitted.stopped_early else ""
    return f"{early}, the weights of epoch {fitted.best_epoch} kept"


def _vocabulary(run: RunConfig, start: Start, screens: Sequence[Screen], split: Split) -> dict[str, Any]:
    """The words of the training captions, where the text tower knows no others than these and its model's."""
    # What a frozen encoder reads, the head was shown in these words and no others.
    frozen = start.network.config.text_tower == "sentence"
    own_words = not frozen and (run.model.text_from or (start.card.has_head and not run.model.words))
    before = start.card.vocabulary
    if own_words and not before:
        return {}
    train = frozenset(split.train)
    done = (screen.perturbation(well) for screen in screens for well in screen.well_ids if well in train)
    now = platemap_vocabulary((p for p in done if caption_of(p, start.card.prompts, "")), run.captions)
    if not own_words:
        before = {}
    merged = {
        thing: list(dict.fromkeys([*before.get(thing, ()), *now.get(thing, ())])) for thing in (*before, *now)
    }
    return {VOCABULARY: merged} if len(merged) <= MOST_LISTED else {}
