"""A tiny CellCLIP and a problem it can learn: four colours, each with its own direction in one stain."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from napari_cellclip.model import CellCLIP, CellCLIPConfig
from napari_cellclip.screen import Progress
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.bags import Bag, Caption, pad
from napari_cellclip.training.loop.fit import Fitted, iter_fit

WORDS = ("frame", "end", "unknown", "red", "green", "blue", "grey", "cells")
CLASSES = ("red", "green", "blue", "grey")
CONFIG = TrainingConfig(epochs=50, batch=16, rate=3e-3, warmup=5, feature_noise=0.1, seed=3)


def tokenise(texts: Sequence[str]) -> dict[str, torch.Tensor]:
    rows = [[0, *(WORDS.index(word) for word in text.split()), 1] for text in texts]
    length = max(map(len, rows))
    ids = torch.tensor([row + [1] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def network(seed: int = 0, *, dropout: bool = True, pooling: str = "attention", **sizes: Any) -> CellCLIP:
    torch.manual_seed(seed)
    small: dict[str, Any] = {
        "width": 16,
        "embed_dim": 8,
        "layers": 1,
        "heads": 2,
        "pool_hidden": 8,
        "text_vocabulary": len(WORDS),
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "text_intermediate": 32,
        "text_positions": 8,
    }
    net = CellCLIP(CellCLIPConfig(**small | sizes), pooling=pooling)  # type: ignore[arg-type]
    if not dropout:
        without_dropout(net)
    return net


def without_dropout(net: CellCLIP) -> None:
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def toy_bags(n: int = 64, seed: int = 0) -> list[Bag]:
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((4, 16))
    bags = []
    for i in range(n):
        kind = i % 4
        features = rng.standard_normal((int(rng.integers(1, 4)), 5, 16)) * 0.5
        features[:, kind] += 2 * directions[kind]
        captions = (Caption(CLASSES[kind]), Caption(f"{CLASSES[kind]} cells", 2.0))
        bags.append(Bag(features.astype(np.float32), captions, CLASSES[kind], name=f"P/{i}"))
    return bags


def run(net: CellCLIP, bags: Sequence[Bag], config: TrainingConfig, **options: Any) -> CellCLIP:
    fit(net, bags, config, **options)
    return net


def fit(net: CellCLIP, bags: Sequence[Bag], config: TrainingConfig, **options: Any) -> Fitted:
    """Run a training to its end and return how it went."""
    steps = iter_fit(net, bags, tokenise, config, **options)
    found: list[Fitted] = []

    def through() -> Generator[Progress, None, None]:
        found.append((yield from steps))

    for _ in through():
        pass
    return found[0]


def losses(log: Path) -> list[float]:
    """The loss of every step in a log."""
    header, *rows = (line.split(",") for line in log.read_text(encoding="utf-8").splitlines())
    place = header.index("loss")
    return [float(row[place]) for row in rows if row[place]]


def accuracy(net: CellCLIP, bags: Sequence[Bag]) -> float:
    with torch.inference_mode():
        images = net.embed_bags(torch.from_numpy(pad([bag.features for bag in bags])))
        texts = net.encode_text(**tokenise([f"{name} cells" for name in CLASSES]))
        cosine = functional.normalize(images, dim=-1) @ functional.normalize(texts, dim=-1).T
    truth = [CLASSES.index(bag.group) for bag in bags]
    return float((cosine.argmax(1).numpy() == truth).mean())
