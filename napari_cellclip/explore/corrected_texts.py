"""Texts beside corrected embeddings: sent through the same transform, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.nulls.empirical_null import CARD_KEY
from napari_cellclip.model.unit_vectors import unit_rows

if TYPE_CHECKING:
    from napari_cellclip.model import Model, ModelCard
    from napari_cellclip.screen import Screen
    from napari_cellclip.screen.correct import CorrectedEmbeddings


class CorrectedTexts:
    """A model whose texts go through the correction of a screen; it embeds texts and nothing else.

    Attributes
    ----------
    card : ModelCard
        Of the model, without the empirical null, which was measured on embeddings as they are.
    """

    def __init__(self, model: Model, correction: CorrectedEmbeddings) -> None:
        scores = {name: value for name, value in model.card.scores.items() if name != CARD_KEY}
        self.card: ModelCard = model.card.model_copy(update={"scores": scores})
        self._model, self._correction = model, correction

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as the model does, on the unit sphere, and correct them as the screen's wells were."""
        return self._correction.transform(unit_rows(self._model.embed_texts(texts))).astype(np.float32)


def texts_beside(screen: Screen, model: Model) -> Model:
    """Return the model for texts that meet a screen's embeddings: the screen's correction is applied to them.

    Raises
    ------
    ScreenError
        If the correction is not one transform for all wells.
    """
    if screen.correction is None:
        return model
    screen.correction.transform(np.zeros((1, screen.card.embed_dim)))  # refuses what is no such transform
    return cast("Model", CorrectedTexts(model, screen.correction))


def correction_notes(screen: Screen, evidence: str) -> tuple[str, ...]:
    """Say which correction embeddings went through, and what it did not touch."""
    if screen.correction is None:
        return ()
    note = f"Embeddings are corrected for batch effects: {screen.correction.described}"
    if evidence in ("look-alikes", "both"):
        note += "; look-alikes compare features, which are standardised by plate and sphered in any case"
    elif evidence == "words":
        note += "; texts went through the same transform"
    return (f"{note}.",)
