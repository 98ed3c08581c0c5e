"""Use a loaded model: pixels to features, features of fields to wells, texts to the same space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import cast

import numpy as np
import torch
from cachetools import LRUCache
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from napari_cellclip.model.card import ModelCard
from napari_cellclip.model.device import resolve_device
from napari_cellclip.model.encoders.batches_ahead import on_each_core
from napari_cellclip.model.encoders.intensity import IntensityStats
from napari_cellclip.model.encoders.onednn_linear import faster_linear
from napari_cellclip.model.encoders.precision import Precision
from napari_cellclip.model.network.cellclip import CellCLIP
from napari_cellclip.model.network.fingerprint_tokenizer import FingerprintTokenizer
from napari_cellclip.model.network.pooling import instance_mask
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.pixel_encoder import PixelEncoder
from napari_cellclip.model.stored_texts import StoredTexts
from napari_cellclip.vocabulary import ModelError

TEXTS_REMEMBERED = 4096
"""Embeddings of texts a model keeps, those used last."""


class Model:
    """CellCLIP with all that belongs to its weights.

    Parameters
    ----------
    card : ModelCard
        What it is.
    cellclip : CellCLIP
        Pooling and towers.
    tokenizer : WordPieceTokenizer or FingerprintTokenizer
        Of the text tower.
    encoder : nn.Module or callable
        The channel encoder, or what loads it when pixels are first encoded: asking texts does not need it.
    device : str
        See `resolve_device`.
    batch_size : int, optional
        Single-stain crops encoded at once; where not given, a run on a GPU measures what is fastest.
    origin : str
        What to give `load_model` to get this model again.
    stored : StoredTexts, optional
        Where embeddings of texts are kept between processes; for weights whose bytes were compared with their
        card.
    """

    def __init__(
        self,
        card: ModelCard,
        cellclip: CellCLIP,
        tokenizer: WordPieceTokenizer | FingerprintTokenizer,
        encoder: nn.Module | Callable[[], nn.Module],
        *,
        device: str = "auto",
        batch_size: int | None = None,
        origin: str = "",
        stored: StoredTexts | None = None,
    ) -> None:
        self.card = card
        self.cellclip = cellclip.eval()
        self.tokenizer = tokenizer
        self.origin = origin or card.name
        self.device = resolve_device(device)
        self.pixels = PixelEncoder(card, encoder, self.device, batch_size)
        self._stored = stored
        self._texts: LRUCache[str, NDArray[np.float32]] = LRUCache(TEXTS_REMEMBERED)
        self._lock = Lock()
        self._computing: CellCLIP | None = None
        self.cellclip.to(self.device)

    def __repr__(self) -> str:
        return f"<Model {self.card.name!r} on {self.device}>"

    @property
    def encoder(self) -> nn.Module:
        """The channel encoder, loaded on first use."""
        return self.pixels.network

    @property
    def batch_size(self) -> int:
        """Single-stain crops encoded at once."""
        return self.pixels.batch_size

    @batch_size.setter
    def batch_size(self, crops: int) -> None:
        self.pixels.batch_size = crops

    def require_encoder(self) -> None:
        """Load the channel encoder now, so that one that cannot be loaded is told before any pixel is read.

        Raises
        ------
        ModelError
            If its weights are missing, damaged or of another network.
        """
        assert self.encoder is not None

    def to(self, device: str) -> Model:
        """Move the model to a device and return it."""
        self.device = resolve_device(device)
        self._computing = None
        self.cellclip.to(self.device)
        self.pixels.to(self.device)
        return self

    def fields_features(
        self,
        fields: Sequence[NDArray[np.generic]],
        stats: IntensityStats | None = None,
        precision: Precision = "float32",
    ) -> NDArray[np.float32]:
        """Features of fields: scaled, cut into crops, each stain encoded by itself, the mean over crops.

        Parameters
        ----------
        fields : sequence of array
            [5, Y, X] counts each, stains in the order of `STAINS`; left as they are. Sizes may differ.
        stats : IntensityStats, optional
            Ranges of the plate, needed where the card scales by the plate.
        precision : {"float32", "bfloat16"}
            In which the channel encoder computes.

        Returns
        -------
        array
            float32 [n, C, D], stains in the card's order.

        Raises
        ------
        ModelError
            If an array is not of that shape, holds numbers that are not finite, or ranges are needed and
            absent.
        """
        return self.pixels.features(fields, stats, precision)

    def encode_crops(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of crops in one pass.

        Parameters
        ----------
        crops : array
            float32 [n, C, s, s], scaled to 0..1 as the card asks, stains in the card's order.

        Returns
        -------
        array
            float32 [n, C, D].
        """
        return self.pixels.scaled_crops(crops)

    def embed_wells(
        self, bags: Sequence[NDArray[np.floating]], *, at_once: int = 64, without_most_attended: int = 0
    ) -> NDArray[np.float32]:
        """Embed wells from the features of their fields.

        Parameters
        ----------
        bags : sequence of array
            [m, C, D] each, m fields of a well, as `fields_features` gives them; left as they are.
        at_once : int
            Wells in one pass.
        without_most_attended : int
            Fields to leave out of each stain, the most attended first; see `CellCLIP.embed_bags`.

        Returns
        -------
        array
            float32 [n, E], not normalised.

        Raises
        ------
        ModelError
            If a bag is empty, of another shape, or not finite, or the model does not pool by attention and
            the most attended fields are to be left out.
        """
        stains, dim = len(self.card.stain_order), self.card.encoder.dim
        for i, bag in enumerate(bags):
            if bag.ndim != 3 or bag.shape[1:] != (stains, dim):
                raise ModelError(
                    f"the features of well {i} have shape {tuple(bag.shape)}, (fields, {stains}, "
                    f"{dim}) is needed"
                )
            if not len(bag):
                raise ModelError(f"well {i} has no field: leave it out or encode one of its fields first")
            if not np.isfinite(bag).all():
                raise ModelError(f"the features of well {i} are not finite: encode its fields again")
        network = self._network()

        def embed(group: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
            tensors = [torch.from_numpy(np.array(bag, np.float32, order="C")) for bag in group]
            padded = pad_sequence(tensors, batch_first=True).to(self.device)
            with torch.inference_mode():
                embedded = network.embed_bags(padded, without_most_attended=without_most_attended)
            return embedded.float().cpu().numpy()

        groups = [bags[start : start + at_once] for start in range(0, len(bags), at_once)]
        found = on_each_core(groups, embed) if self.device.type == "cpu" else map(embed, groups)
        return np.concatenate([np.zeros((0, self.card.embed_dim), np.float32), *found])

    def _network(self) -> CellCLIP:
        """What embeds wells on this device, with the weights of `cellclip`."""
        with self._lock:
            if self._computing is None:
                on_processor = self.device.type == "cpu"
                self._computing = faster_linear(self.cellclip) if on_processor else self.cellclip
            return self._computing

    def pooling_weights(self, bag: NDArray[np.floating]) -> NDArray[np.float32]:
        """Share of each field in a well's pooled features, stain by stain.

        Parameters
        ----------
        bag : array
            [m, C, D], as `embed_wells` takes it.

        Returns
        -------
        array
            float32 [m, C], each stain adding up to 1 (to 0 where it is blank in every field). Without
            attention, every field that has the stain counts alike.

        Raises
        ------
        ModelError
            If the model takes the median, in which fields have no share.
        """
        fields = torch.from_numpy(np.array(bag, np.float32, order="C"))[None].to(self.device)
        if self.card.pooling == "median":
            raise ModelError(f"model {self.card.name!r} takes the median over fields: none has a share of it")
        with torch.inference_mode():
            if self.card.pooling == "attention":
                return cast(NDArray[np.float32], self.cellclip.image_pool.weights(fields)[0].cpu().numpy())
            there = instance_mask(fields)[0].float()
            return cast(NDArray[np.float32], (there / there.sum(dim=0).clamp(min=1)).cpu().numpy())

    def embed_texts(self, texts: Sequence[str], *, at_once: int = 32) -> NDArray[np.float32]:
        """Embed texts as they are (`ModelCard.prompts` words them).

        Parameters
        ----------
        texts : sequence of str
            Prompts. The last few thousand embeddings are remembered, and kept on disk where the model has a
            place for them.
        at_once : int
            Texts in one pass.

        Returns
        -------
        array
            float32 [n, E], not normalised.
        """
        with self._lock:
            known = {text: self._texts[text] for text in texts if text in self._texts}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        # Each text has its own length: alike ones together waste least on padding.
        new.sort(key=len)
        keys = self._keys(new, at_once)
        kept = self._stored.read(list(keys.values())) if self._stored is not None else {}
        known.update((text, kept[key]) for text, key in keys.items() if key in kept)
        new = [text for text in new if text not in known]
        for start in range(0, len(new), at_once):
            batch = new[start : start + at_once]
            tokens = {name: ids.to(self.device) for name, ids in self.tokenizer(batch).items()}
            with torch.inference_mode():
                embedded = self.cellclip.encode_text(**tokens).float().cpu().numpy()
            known.update(zip(batch, embedded, strict=True))
        if self._stored is not None and new:
            self._stored.write({keys[text]: known[text] for text in new})
        with self._lock:
            self._texts.update({text: known[text] for text in texts})
        return (
            np.stack([known[text] for text in texts])
            if texts
            else np.zeros((0, self.card.embed_dim), np.float32)
        )

    def _keys(self, texts: Sequence[str], at_once: int) -> dict[str, bytes]:
        """Keys of texts on disk; empty where none are kept there."""
        found: dict[str, bytes] = {}
        if self._stored is None:
            return found
        for start in range(0, len(texts), at_once):
            batch = texts[start : start + at_once]
            tokens = {name: ids.numpy() for name, ids in self.tokenizer(batch).items()}
            rows = zip(tokens["input_ids"], tokens["attention_mask"], strict=True)
            found.update(
                (text, self._stored.key(ids[mask > 0])) for text, (ids, mask) in zip(batch, rows, strict=True)
            )
        return found
