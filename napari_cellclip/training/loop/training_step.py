"""One step of a training: a batch in, changed weights out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.losses import contrastive, needs_bias, needs_pooled
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.loop.batches import Batch
from napari_cellclip.training.loop.distributed import Processes
from napari_cellclip.training.loop.grad_cache import Chunk, Forward, batch_backward
from napari_cellclip.training.loop.optimisation import CosineRestarts, clamp_logit_scale, parameter_groups
from napari_cellclip.training.loop.text_training import TextTraining
from napari_cellclip.vocabulary import CellClipError

_DROPOUT = 5  # stream of random numbers within a seed


class Stepper:
    """Optimises a head batch by batch.

    Parameters
    ----------
    network : CellCLIP
        Changed in place.
    text : TextTraining
        Embeds captions.
    config : TrainingConfig
        Loss, optimiser, precision.
    total : int
        Steps of the whole run.
    processes : Processes
        Who shares each batch.

    Raises
    ------
    CellClipError
        If the device cannot compute in that precision, or the loss needs what the network lacks.
    """

    def __init__(
        self, network: CellCLIP, text: TextTraining, config: TrainingConfig, total: int, processes: Processes
    ) -> None:
        self._network, self._text, self._config, self._processes = network, text, config, processes
        self._device = network.logit_scale.device
        if config.precision == "fp16" and self._device.type != "cuda":
            raise CellClipError(
                "precision = 'fp16' needs an NVIDIA GPU: use 'bf16', or 'fp32' where that is slow"
            )
        if needs_bias(config.loss) and not network.config.bias:
            raise CellClipError(
                f"the loss {config.loss} needs a model with a bias: start from one that was trained with it,"
                " or from scratch"
            )
        self._dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[config.precision]
        self.learning = [p for p in network.parameters() if p.requires_grad]
        self._schedule = CosineRestarts(config.rate, config.warmup_of(total), total, config.cycles)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(network.named_parameters(), config.weight_decay), lr=0.0
        )
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "fp16")
        self._options: dict[str, Any] = dict(config.loss_options)
        self._shared: list[nn.Parameter] = [network.logit_scale]
        if needs_bias(config.loss):
            self._shared.append(network.bias)
        if self._options.get("reference_quirks") and config.loss in ("cwcl", "bi_cwcl"):
            embedding = getattr(network.visual, "channel_embed", None)
            if embedding is not None:
                self._options["channel_embed"] = embedding
                self._shared.append(embedding)

    def __call__(self, step: int, batch: Batch) -> dict[str, float]:
        """Take one step, counted from 0.

        Returns
        -------
        dict
            ``loss``, ``learning_rate``, ``temperature`` (as used), ``gradient_norm`` (before clipping).

        Raises
        ------
        CellClipError
            If the loss is not finite.
        """
        config = self._config
        temperature = float(torch.exp(-self._network.logit_scale.detach()))
        self.optimiser.zero_grad()
        loss = self.backward(step, batch)
        if not np.isfinite(loss):
            raise CellClipError(
                f"the loss of step {step + 1} is not finite: lower the learning rate ({config.rate:g}), warm"
                " up for longer, or train in fp32"
            )
        self._processes.sum_gradients(self.learning)
        self.scaler.unscale_(self.optimiser)
        norm = float(nn.utils.clip_grad_norm_(self.learning, config.max_norm))
        rate = self._schedule.rate(step + 1)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimiser)
        self.scaler.update()
        clamp_logit_scale(self._network.logit_scale)
        return {"loss": loss, "learning_rate": rate, "temperature": temperature, "gradient_norm": norm}

    def backward(self, step: int, batch: Batch) -> float:
        """Add the batch's gradient to the weights and return its loss; summed over processes it is whole."""
        config, processes = self._config, self._processes
        seed = np.random.default_rng([config.seed, _DROPOUT, step, processes.rank]).integers(2**62)
        torch.manual_seed(int(seed))
        self._text.train()
        keep = config.micro_batch == 0
        images = torch.from_numpy(batch.images).to(self._device)
        image = [
            Chunk(self._image_forward(chunk), keep=keep, device=self._device)
            for chunk in images.split(config.micro_batch or len(images))
        ]
        lots = self._text.lots(batch.captions, config.micro_batch, step, processes.rank * len(images))
        text = [Chunk(self._text_forward(read), keep=keep, device=self._device) for _, read in lots]
        order = torch.argsort(torch.cat([places for places, _ in lots])).to(self._device)
        groups = processes.gather(torch.from_numpy(batch.groups).to(self._device))

        def loss_of(image: Tensor, text: Tensor, pooled: Tensor) -> Tensor:
            return contrastive(
                config.loss,
                image,
                text,
                self._network.logit_scale,
                pooled=pooled,
                bias=self._network.bias if self._network.config.bias else None,
                groups=groups,
                same_perturbation=config.same_perturbation,
                **self._options,
            )

        return batch_backward(
            image,
            text,
            order,
            loss_of,
            self._shared,
            processes,
            gather_pooled=needs_pooled(config.loss),
            scale=self.scaler.scale,
        )

    def _image_forward(self, bags: Tensor) -> Forward:
        def forward() -> tuple[Tensor, Tensor]:
            pooled, _ = self._network.samples(bags)
            with self._autocast():
                image = self._network.encode_image(pooled)
            return functional.normalize(image.float(), dim=-1), pooled

        return forward

    def _text_forward(self, read: Callable[[], Tensor]) -> Forward:
        def forward() -> tuple[Tensor]:
            with self._autocast():
                return (read(),)

        return forward

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not None)
