"""A training run without steps: a head on measured profiles, fitted in closed form."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from napari_cellclip.model import Model, ModelCard, load_model, save_model
from napari_cellclip.model.card import FEATURES_FILE, FITTED_PLATES, VOCABULARY, FileCard
from napari_cellclip.model.encoders.profile_encoder import ProfileEncoder
from napari_cellclip.model.prototypes.fitting import fit_prototypes, label_vectors, rows_of
from napari_cellclip.model.prototypes.profile_sets import ProfileSet, write_profile_sets
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training.config import RUN_FILE, RunConfig
from napari_cellclip.training.data.bags import Bag
from napari_cellclip.training.data.labelled_profiles import profile_set
from napari_cellclip.training.data.run_split import split_of
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.splits import SPLIT_WELLS, Split
from napari_cellclip.training.loop.trained_card import plain_settings, scores_of
from napari_cellclip.training.loop.validation import Retrieval, score_bags
from napari_cellclip.vocabulary import CellClipError, split_id

TEXT_FROM = "profiles"
"""Model whose text tower reads the labels where the settings name none."""


def iter_fit_closed_form(
    screens: Sequence[Screen], run: RunConfig, folder: Path
) -> Generator[Progress, None, None]:
    """Fit a head to the labelled treatments of screens of measured profiles, and write it as a model folder.

    The screens may measure different features: each is a data set of its own, used on what it shares with the
    features at hand, and the head is fitted anew to every table it meets
    (:func:`napari_cellclip.model.prototypes.fitting.fit_prototypes`). The folder's own weights are for the
    features of the first screen.

    Parameters
    ----------
    screens : sequence of Screen
        With mechanisms in their plate maps.
    run : RunConfig
        Of which ``split``, ``data.cell_line``, ``model.text_from`` and ``captions.cell_line`` are used.
    folder : Path
        Model folder to write, new or empty.

    Yields
    ------
    Progress

    Raises
    ------
    CellClipError
        If a screen holds no profiles or no mechanisms, the split leaks, or the text tower cannot be taken
        over.
    """
    donor = load_model(run.model.text_from or TEXT_FROM, device="cpu")
    split = split_of(screens, run.split)
    sets = []
    for done, screen in enumerate(screens, start=1):
        sets.append(profile_set(screen, frozenset(split.train), seed=run.split.seed))
        yield Progress(done, len(screens), f"labelled profiles of {screen.name}", stage="training")
    model = fitted_model(sets, screens[0], donor)
    scores = {
        part: score_bags(
            model.cellclip, bags, model.tokenizer, seen=[model.card.prompts.for_mechanism(p) for p in phrases]
        )
        for part in ("validation", "test")
        if (bags := _bags(screens[0], model, run, split.parts[part]))
        for phrases in [sorted({phrase for found in sets for phrase in found.phrases})]
    }
    card = closed_form_card(folder.name, model.card, sets, screens, split, scores, run)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_closed_form(partial, card, model, sets)
    (partial / RUN_FILE).write_text(run.to_toml(), encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    yield Progress(len(screens), len(screens), f"wrote {folder.name}", stage="training")


def fitted_model(sets: Sequence[ProfileSet], screen: Screen, donor: Model) -> Model:
    """Fit sets to the features of a screen, with another model's text tower.

    Raises
    ------
    CellClipError
        If the donor's texts leave no number for how much a well resembles anything.
    """
    features = (screen.path / FEATURES_FILE).read_text(encoding="utf-8")
    vectors = label_vectors(donor, sets)
    if any(vector[-1] for vector in vectors.values()):
        raise CellClipError(
            f"the text tower of {donor.card.name!r} was made for other heads: leave model.text_from out, or"
            f" name a head that was fitted in closed form, such as {TEXT_FROM!r}"
        )
    network = fit_prototypes(sets, rows_of(features), donor.cellclip, vectors)
    card = donor.card.model_copy(
        update={"encoder": screen.card.encoder, "embed_dim": network.config.embed_dim}
    )
    return Model(card, network, donor.tokenizer, ProfileEncoder(card.encoder, features), device="cpu")


def save_closed_form(folder: Path, card: ModelCard, model: Model, sets: Sequence[ProfileSet]) -> ModelCard:
    """Write the model folder of a head that was fitted in closed form, with what it is fitted to."""
    folder.mkdir(parents=True, exist_ok=True)
    write_profile_sets(sets, folder)
    return save_model(folder, card, model.encoder, model.cellclip, model.tokenizer)


def closed_form_card(
    name: str,
    base: ModelCard,
    sets: Sequence[ProfileSet],
    screens: Sequence[Screen],
    split: Split,
    scores: dict[str, Retrieval],
    run: RunConfig,
) -> ModelCard:
    """Card of a head that was fitted in closed form; its scores are on the first screen's features."""
    phrases = sorted({phrase for found in sets for phrase in found.phrases})
    return base.model_copy(
        update={
            "name": name,
            "title": "Head on measured profiles, fitted in closed form",
            "description": "",
            "simulated": False,
            "weights": FileCard(file="cellclip.safetensors"),
            "licence": "",
            "licence_text": "",
            "trained_on": "; ".join(f"{len(s.labels)} labelled profiles of {s.name}" for s in sets),
            "limits": "Knows the mechanisms of its labels, in other words too; of others it says little.",
            "source": f"Text tower of {base.name!r}; kernel ridge regression.",
            "training": plain_settings(run, name)
            | {SPLIT_WELLS: split.digests, VOCABULARY: {p: [p] for p in phrases}}
            | {FITTED_PLATES: sorted({split_id(well)[0] for well in split.train})},
            "scores": scores_of(scores, screens[:1], split),
        }
    )


def _bags(screen: Screen, model: Model, run: RunConfig, wells: Sequence[str]) -> list[Bag]:
    try:
        return bags_of(
            [screen],
            model.card.prompts,
            cell_line=run.data.cell_line,
            captions=run.captions.model_copy(update={"only": "mechanisms"}),
            negative_controls="leave out",
            wells=frozenset(wells),
        )
    except CellClipError:
        return []
