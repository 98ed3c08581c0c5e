"""The text tower: a BERT made from its configuration, so that nothing is fetched to build it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

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


def restore_buffers(text: BertModel) -> None:
    """Write BERT's constant tables anew, after the model was made without memory."""
    embeddings = text.embeddings
    count = embeddings.position_embeddings.num_embeddings
    device = embeddings.word_embeddings.weight.device
    positions = torch.arange(count, device=device).unsqueeze(0)
    embeddings.register_buffer("position_ids", positions, persistent=False)
    embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)
