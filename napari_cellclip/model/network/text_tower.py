"""Text towers: a BERT made from its configuration, so that nothing is fetched, and its chemical baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from napari_cellclip.model.network.image_tower import LayerNorm
from napari_cellclip.model.network.stain_perceptron import ResidualPerceptron

if TYPE_CHECKING:
    from transformers import BertModel

IGNORED_BUFFERS = frozenset({"text.embeddings.position_ids", "text.embeddings.token_type_ids"})
"""Constant tables which some old files carry and which are not weights."""


def bert(
    *,
    vocabulary: int = 28_996,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    intermediate: int = 3072,
    positions: int = 512,
    token_types: int = 2,
    dropout: float = 0.1,
) -> BertModel:
    """Make an untrained BERT with pooler (Devlin et al. 2019); the defaults are ``bert-base-cased``.

    Parameters
    ----------
    vocabulary : int
        Number of word pieces.
    width, layers, heads, intermediate : int
        Size of the transformer.
    positions : int
        Longest text in tokens.
    token_types : int
        Rows of the segment table.
    dropout : float
        Used in training only.
    """
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=positions,
        type_vocab_size=token_types,
        hidden_act="gelu",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        layer_norm_eps=1e-12,
    )
    return BertModel(config, add_pooling_layer=True)


def restore_buffers(text: nn.Module) -> None:
    """Write BERT's constant tables anew, after the model was made without memory; other towers have none."""
    if isinstance(text, FingerprintTower):
        return
    embeddings = cast("BertModel", text).embeddings
    count = embeddings.position_embeddings.num_embeddings
    device = embeddings.word_embeddings.weight.device
    positions = torch.arange(count, device=device).unsqueeze(0)
    embeddings.register_buffer("position_ids", positions, persistent=False)
    embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)


class FingerprintTower(nn.Module):
    """A perceptron on the counts of a structure's fragments, in place of a text tower.

    The usual molecule tower of CLOOME (Sanchez-Fernandez et al. 2023) and its kin, for comparing words with
    structures. Fragments come as `FingerprintTokenizer` gives them, each as often as it occurs, so that the
    sum of their vectors is the first linear layer on the count fingerprint.

    Parameters
    ----------
    features : int
        Length of the tokenizer: folded fingerprint plus the tokens for padding and for no structure.
    width : int
        Length of the vectors.
    layers : int
        Residual perceptrons after the first layer; at least one.
    dropout : float
        Used in training only.
    """

    def __init__(self, features: int, width: int, layers: int = 3, dropout: float = 0.1) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError("a fingerprint tower needs at least one layer")
        self.structure = nn.Embedding(features, width)
        self.ln_pre = LayerNorm(width)
        self.perceptrons = nn.Sequential(*(ResidualPerceptron(width, dropout) for _ in range(layers)))
        self.ln_post = LayerNorm(width)
        nn.init.normal_(self.structure.weight, std=0.02)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed structures.

        Parameters
        ----------
        input_ids, attention_mask : Tensor
            int64 [B, T]: a fragment's number for each time it occurs, and where there is one.

        Returns
        -------
        Tensor
            [B, width].
        """
        vectors = self.structure(input_ids)
        counted = (vectors * attention_mask.unsqueeze(-1).to(vectors.dtype)).sum(dim=1)
        return self.ln_post(self.perceptrons(self.ln_pre(counted)))
