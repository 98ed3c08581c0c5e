"""Fit a closed-form head to the features that a screen of profiles has, and keep it in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import ModelError, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model, ModelCard

MODELS = "models"
"""Folder of a screen for heads that were fitted to its features."""


def kept_model(folder: Path, name: str) -> Path | None:
    """Folder of a head that was fitted to this screen's features, where there is one of that name."""
    from napari_cellclip.model.card import CARD_FILE

    kept = folder / MODELS / name
    return kept if (kept / CARD_FILE).is_file() else None


def fitted_to_screen(folder: Path, card: ModelCard, model: Model) -> Model:
    """Fit a head to a screen's features if it can be, and is not yet.

    Parameters
    ----------
    folder : Path
        Of the screen.
    card : ModelCard
        That the screen shows.
    model : Model
        Any; one that is of the screen's encoder, or holds no labelled profiles, is returned as it is.

    Raises
    ------
    ScreenError
        If the head and the screen share too few features.
    """
    from napari_cellclip.model import load_model, save_model
    from napari_cellclip.model.card import FEATURES_FILE
    from napari_cellclip.model.encoders.profile_encoder import ProfileEncoder
    from napari_cellclip.model.prototypes.fitting import fit_prototypes, label_vectors, rows_of
    from napari_cellclip.model.prototypes.profile_sets import FILE, read_profile_sets

    file = Path(model.origin) / FILE
    same = model.card.encoder_hash == card.encoder_hash
    if same or card.encoder.kind != "profile" or model.card.encoder.kind != "profile" or not file.is_file():
        return model
    features = (folder / FEATURES_FILE).read_text(encoding="utf-8")
    sets = read_profile_sets(file)
    try:
        network = fit_prototypes(sets, rows_of(features), model.cellclip, label_vectors(model, sets))
    except ModelError as error:
        raise ScreenError(f"{model.card.name!r} cannot read screen {folder.name}: {error}") from error
    own = model.card.model_copy(update={"encoder": card.encoder, "embed_dim": network.config.embed_dim})
    kept = folder / MODELS / model.card.name
    save_model(kept, own, ProfileEncoder(own.encoder, features), network, model.tokenizer)
    return load_model(kept, device=str(model.device))
