"""How captions are embedded in a training: by a tower that learns, by adapters on it, or from a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_cellclip.model import CellCLIP
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.bags import Tokenise
from napari_cellclip.vocabulary import CellClipError

LOT = 32
"""Captions embedded together where no smaller number is asked for."""

Lot = tuple[Tensor, Callable[[], Tensor]]

_WORDS = 4  # stream of random numbers within a seed


class TextTraining:
    """The text tower as a run trains it; as a context it leaves an ordinary tower behind.

    Parameters
    ----------
    network : CellCLIP
        Changed in place: adapters are put in, or the tower is frozen, until the context ends.
    texts : sequence of str
        All captions there will be.
    tokenise : callable
        Texts to token ids and mask.
    config : TrainingConfig
        ``text``, ``lora_*``, ``word_dropout``, ``seed``.
    unknown_token : int, optional
        Id put in place of dropped words.

    Raises
    ------
    CellClipError
        If adapters are asked for and peft is missing or the tower is no BERT, or words are to be dropped and
        the tokenizer has no unknown one.
    """

    def __init__(
        self,
        network: CellCLIP,
        texts: Sequence[str],
        tokenise: Tokenise,
        config: TrainingConfig,
        unknown_token: int | None = None,
    ) -> None:
        if config.word_dropout and unknown_token is None:
            raise CellClipError("word_dropout needs a tokenizer with an unknown word: set it to 0")
        self._network, self._config, self._unknown = network, config, unknown_token
        self._row = {text: row for row, text in enumerate(texts)}
        tokens = tokenise(list(texts))
        self._ids, self._present = tokens["input_ids"].to(torch.int32), tokens["attention_mask"].bool()
        self._learning = [(p, p.requires_grad) for p in network.text.parameters()]
        self._kept: Tensor | None = None
        frozen = config.text == "frozen" or network.config.text_tower == "sentence"
        if config.word_dropout and frozen:
            raise CellClipError(
                "word_dropout needs a text tower that learns: a frozen one reads each text once"
            )
        if config.text != "full":
            network.text.requires_grad_(False)
        if config.text == "lora":
            add_adapters(network, config)
        elif frozen:
            self._kept = self._read_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._config.text == "lora":
            merge_adapters(self._network)
        for parameter, learning in self._learning:
            parameter.requires_grad_(learning)

    def train(self) -> None:
        """Training mode for the network, but a frozen tower reads as it always does."""
        self._network.train()
        if self._kept is not None:
            self._network.text.eval()

    def lots(self, rows: NDArray[np.int64], at_once: int, step: int, first: int) -> list[Lot]:
        """Captions of a batch in lots of like length, each padded to its own longest only.

        A few structures (SMILES) in a batch would otherwise make every short caption as dear as they are.

        Parameters
        ----------
        rows : ndarray of int64, shape (b,)
            Captions, as rows of `texts`.
        at_once : int
            Most in a lot; 0 for the usual number.
        step, first : int
            Of the run, and where in the whole batch the first caption stands: they seed the dropped words.

        Returns
        -------
        list of (positions, callable)
            Which of the captions a lot holds, and what embeds them: float32 unit vectors [lot, E].
        """
        if self._kept is not None:
            table = self._kept[torch.from_numpy(rows).to(self._kept.device)]
            return [
                (places, self._projector(table[places]))
                for places in torch.arange(len(rows)).split(at_once or len(rows))
            ]
        order = torch.argsort(self._present[rows].sum(1), stable=True)
        return [
            (places, self._reader(rows[places.numpy()], step, first + places.numpy()))
            for places in order.split(at_once or LOT)
        ]

    def _projector(self, features: Tensor) -> Callable[[], Tensor]:
        return lambda: functional.normalize(self._network.text_proj(features).float(), dim=-1)

    def _reader(self, rows: NDArray[np.int64], step: int, places: NDArray[np.int64]) -> Callable[[], Tensor]:
        ids, present = trim(self._ids[rows].long(), self._present[rows].long())
        if self._config.word_dropout and self._unknown is not None:
            luck = [np.random.default_rng([self._config.seed, _WORDS, step, place]) for place in places]
            drawn = np.stack([rng.random(ids.shape[1]) for rng in luck])
            ids = drop_words(ids, present, drawn < self._config.word_dropout, self._unknown)
        device = self._network.logit_scale.device
        tokens = ids.to(device), present.to(device)
        return lambda: functional.normalize(self._network.encode_text(*tokens).float(), dim=-1)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions, each given once, without dropout: float32 [n, E]."""
        self._network.eval()
        rows = np.array([self._row[text] for text in texts], np.int64)
        with torch.no_grad():
            if self._kept is not None:
                kept = self._kept[torch.from_numpy(rows).to(self._kept.device)]
                return self._network.text_proj(kept).float().cpu().numpy()
            order = torch.argsort(self._present[rows].sum(1), stable=True)
            lots = [self._encode(rows[places.numpy()]).float().cpu() for places in order.split(LOT)]
        return torch.cat(lots)[torch.argsort(order)].numpy()

    def _encode(self, rows: NDArray[np.int64]) -> Tensor:
        ids, present = trim(self._ids[rows].long(), self._present[rows].long())
        device = self._network.logit_scale.device
        return self._network.encode_text(ids.to(device), present.to(device))

    def _read_all(self) -> Tensor:
        """What the frozen tower says of every caption: [n, W], the input of the projection."""
        seen: list[Tensor] = []
        projection = self._network.text_proj
        hook = projection.register_forward_pre_hook(lambda _, given: seen.append(given[0].float()))
        self._network.eval()
        order = torch.argsort(self._present.sum(1), stable=True)
        try:
            with torch.no_grad():
                for rows in order.split(LOT):
                    self._encode(rows.numpy())
        finally:
            hook.remove()
        return torch.cat(seen)[torch.argsort(order).to(seen[0].device)]


def add_adapters(network: CellCLIP, config: TrainingConfig) -> None:
    """Put low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on queries and values of the BERT.

    Raises
    ------
    CellClipError
        If peft is not installed, or the text tower is no BERT.
    """
    if network.config.text_tower != "bert":
        raise CellClipError(
            f"adapters are for a BERT that learns: train a {network.config.text_tower} tower with"
            " text = 'full'"
        )
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise CellClipError(
            "text = 'lora' needs peft: pip install \"napari-cellclip[train]\", or train with text = 'full'"
        ) from error
    torch.manual_seed(config.seed)
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # a float does as well
        target_modules=["query", "value"],
    )
    inject_adapter_in_model(settings, network.text)


def merge_adapters(network: CellCLIP) -> None:
    """Add what adapters learnt to the weights under them, and take them out."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.text.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, leaf = name.rpartition(".")
            setattr(network.text.get_submodule(parent), leaf, module.get_base_layer())
    del network.text.peft_config  # left behind by the injection


def trim(ids: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a batch of padded captions to its longest one."""
    longest = int(present.sum(1).max())
    return ids[:, :longest], present[:, :longest]


def drop_words(ids: Tensor, present: Tensor, dropped: NDArray[np.bool_], unknown: int) -> Tensor:
    """Replace tokens by the unknown one; the first and last (the frame of the text) stay."""
    position = torch.arange(ids.shape[1])[None]
    inner = (position > 0) & (position < present.sum(1, keepdim=True) - 1)
    return torch.where(torch.from_numpy(dropped) & inner, torch.full_like(ids, unknown), ids)
