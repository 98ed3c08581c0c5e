"""A published sentence encoder as the text tower: frozen, and no part of the head's weights."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from napari_cellclip.model.network.bert import Bert
from napari_cellclip.vocabulary import ModelError


class SentenceSource(Protocol):
    """Source of a sentence encoder."""

    def read(self) -> Bert:
        """Read its weights."""
        ...


class SentenceTower(nn.Module):
    """Read captions with a frozen sentence encoder: the mean over a BERT's tokens (Reimers & Gurevych 2019).

    The encoder is loaded when it first reads, and neither saved nor trained with the head: a head that was
    trained on it is some hundred kilobytes, and screens are embedded without it.

    Parameters
    ----------
    width : int
        Length of its vectors.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.source: SentenceSource | None = None
        self._encoder: list[Bert] = []  # in a list: no submodule, so that it is in no state dict

    def attach(self, source: SentenceSource) -> None:
        """Name the encoder that reads from now on."""
        self.source = source
        self._encoder.clear()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed texts: token ids and mask [B, T] to unit vectors [B, width], without gradients.

        Raises
        ------
        ModelError
            If no encoder is attached, it cannot be read, or its vectors have another length.
        """
        encoder = self._loaded().to(input_ids.device)
        with torch.no_grad():
            tokens = encoder.read_tokens(input_ids, attention_mask)
            present = attention_mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
            return nn.functional.normalize(mean, dim=-1)

    def _loaded(self) -> Bert:
        if not self._encoder:
            if self.source is None:
                raise ModelError("this text tower has no sentence encoder: load the model by its folder")
            encoder = self.source.read().eval()
            found = encoder.embeddings.word_embeddings.embedding_dim
            if found != self.width:
                raise ModelError(
                    f"the sentence encoder gives {found} numbers a text, this model takes {self.width}"
                )
            self._encoder.append(encoder)
        return self._encoder[0]
