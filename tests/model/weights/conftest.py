"""A channel encoder in the hub's layout."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def dinov2(tmp_path_factory):
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("files") / "dinov2-tiny"
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder
