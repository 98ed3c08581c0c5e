"""What stands in a channel encoder's place where features were measured by another program."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from napari_cellclip.model.card import FEATURES_FILE, EncoderCard
from napari_cellclip.vocabulary import ModelError
from napari_cellclip.vocabulary.regular_files import read_regular

MAX_BYTES = 20_000_000
"""Far above the names of the largest feature sets."""


class ProfileEncoder(nn.Module):
    """The list of a profile's features by stain; it has no weights and cannot read pixels.

    Parameters
    ----------
    card : EncoderCard
        Of kind ``"profile"``.
    features : str
        Content of ``features.json``, which goes into the folder of every model made for these features.
    """

    def __init__(self, card: EncoderCard, features: str) -> None:
        super().__init__()
        self.card, self.features, self.dim = card, features, card.dim

    def forward(self, images: Tensor) -> Tensor:
        """Refuse: there is nothing to encode pixels with."""
        raise ModelError(
            f"the features of {self.card.name!r} were measured elsewhere and come as a table: there is no"
            " channel encoder to encode images with; encode them with another model"
        )


def load(card: EncoderCard, source: Path, size: int) -> ProfileEncoder:
    """Read the list of features, or that of a model's or screen's folder.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    path = source / FEATURES_FILE if source.is_dir() else source
    try:
        return ProfileEncoder(card, read_regular(path, MAX_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the list of features {path} cannot be read: {error}") from error
