"""Find and load the model that made a screen's embeddings."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_cellclip.screen.storage.compatibility import require_same_weights
from napari_cellclip.screen.storage.fitted_heads import kept_model
from napari_cellclip.screen.storage.screen_json import CardRecord
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model, ModelCard


class ScreenModel:
    """The model of one screen, loaded when first asked for; screens with other labels share it.

    Parameters
    ----------
    folder : Path
        Of the screen.
    known : CardRecord
        What the screen says of the model.
    """

    def __init__(self, folder: Path, known: CardRecord) -> None:
        self._folder, self._known = folder, known
        self._model: Model | None = None
        self._loading = Lock()

    @cached_property
    def card(self) -> ModelCard:
        """Its card."""
        from napari_cellclip.model import ModelCard

        return ModelCard.model_validate(self._known.card)

    @property
    def origin(self) -> str:
        """Argument of `load_model` for it: its folder, or its name."""
        if Path(self._known.origin).exists():
            return self._known.origin
        kept = kept_model(self._folder, self.card.name)
        return self.card.name if kept is None else str(kept)

    def load(self) -> Model:
        """Load it, once for all threads.

        Raises
        ------
        ModelError, ScreenError
            If it is not on this computer, another one goes by its name, or the screen has no head yet.
        """
        from napari_cellclip.model import load_model

        with self._loading:  # not the lock of the tables: they can be read while a model loads
            if self._model is None:
                self.require_head()
                model = load_model(self.origin)
                self.require(model)
                self._model = model
            return self._model

    def require_head(self) -> None:
        """Refuse a screen of measured profiles that no head has embedded yet.

        Raises
        ------
        ScreenError
            Says how to train one.
        """
        if not self.card.has_head:
            raise ScreenError(
                f"screen {self._folder.resolve().name} holds measured profiles and no model that understands"
                f" words: train a head first (napari-cellclip train {self._folder} --out MODEL), then embed"
                f" the wells with it (napari-cellclip derive {self._folder} --model MODEL)"
            )

    def require(self, model: Model) -> None:
        """Refuse a model other than the one that made the embeddings.

        Raises
        ------
        ScreenError
            If the CellCLIP weights are others.
        """
        self.require_head()
        require_same_weights(self._folder.resolve().name, self.card, model.card)
