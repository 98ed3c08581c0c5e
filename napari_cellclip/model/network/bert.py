"""The text tower of CellCLIP: a BERT with the parameter names of every published one.

Our own and not that of ``transformers``, which agrees with it to rounding (there is a test) and whose import
alone costs as much processor time as the rest of a first question.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-12
SPREAD = 0.02
"""Standard deviation of initial weights."""

CONSTANT_TABLES = frozenset({"embeddings.position_ids", "embeddings.token_type_ids"})
"""What some old files carry beside the weights."""


class Bert(nn.Module):
    """Read sentences with a BERT (Devlin et al. 2019, arXiv 1810.04805); defaults are ``bert-base-cased``.

    Parameters
    ----------
    vocabulary : int
        Number of word pieces.
    width, layers, heads, intermediate : int
        Size of the transformer.
    positions : int
        Longest text in tokens.
    token_types : int
        Rows of the segment table, of which only the first is used.
    dropout : float
        Used in training only.
    """

    def __init__(
        self,
        *,
        vocabulary: int = 28_996,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        intermediate: int = 3072,
        positions: int = 512,
        token_types: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.embeddings = Embeddings(vocabulary, width, positions, token_types, dropout)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(width, heads, intermediate, dropout) for _ in range(layers))}
        )
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})
        self.apply(_initialise)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read texts.

        Parameters
        ----------
        input_ids, attention_mask : Tensor
            int64 [B, T] each, as the tokenizer gives them.

        Returns
        -------
        Tensor
            [B, width], the pooler's output for the first token.
        """
        return torch.tanh(self.pooler["dense"](self.read_tokens(input_ids, attention_mask)[:, 0]))

    def read_tokens(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors of tokens in their context: [B, T] to [B, T, width]."""
        x = self.embeddings(input_ids)
        present = attention_mask[:, None, None, :].bool()
        for layer in cast(nn.ModuleList, self.encoder["layer"]):
            x = layer(x, present)
        return x


class Embeddings(nn.Module):
    """Sum of the vectors of a word piece, of its position and of the first segment, normalised."""

    def __init__(self, vocabulary: int, width: int, positions: int, token_types: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(token_types, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor) -> Tensor:
        """[B, T] to [B, T, W]."""
        segment = self.token_type_embeddings.weight[0]
        positions = self.position_embeddings.weight[: input_ids.shape[1]]
        return self.dropout(self.LayerNorm(self.word_embeddings(input_ids) + segment + positions))


class Layer(nn.Module):
    """Transformer block of BERT: attention, then a perceptron, each normalised after it was added."""

    def __init__(self, width: int, heads: int, intermediate: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(width, heads, dropout), "output": AddAndNormalise(width, width, dropout)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, intermediate)})
        self.output = AddAndNormalise(intermediate, width, dropout)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """[B, T, W] to the same shape, tokens that are not `present` ([B, 1, 1, T]) unseen."""
        x = self.attention["output"](self.attention["self"](x, present), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class SelfAttention(nn.Module):
    """Multi-head self-attention with a projection each for query, key and value."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """[B, T, W] to the same shape, tokens that are not `present` ([B, 1, 1, T]) unseen."""
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        dropout = self.dropout.p if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=present, dropout_p=dropout)
        return y.transpose(1, 2).flatten(2)


class AddAndNormalise(nn.Module):
    """Linear map of what a block computed, added to what went into it, and normalised."""

    def __init__(self, computed: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(computed, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, computed: Tensor, before: Tensor) -> Tensor:
        """[B, T, computed] and [B, T, W] to [B, T, W]."""
        return self.LayerNorm(self.dropout(self.dense(computed)) + before)


def _initialise(module: nn.Module) -> None:
    """BERT's initial weights, drawn in the order of ``transformers`` so that a seed gives the same model."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=SPREAD)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=SPREAD)
        if module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
