"""The small encoder for inference on a processor: normalisation, ReLU and skips within its convolutions.

A fifth of its time in float32, and a third in bfloat16, went into passes over feature maps that do
little more than read and write them. oneDNN, which comes with torch, does the same while it convolves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_cellclip.model.encoders.small_encoder import (
    ResidualBlock,
    SmallEncoder,
    brightness_evened,
    mean_and_spread,
)


def fused(network: nn.Module) -> nn.Module:
    """Return an encoder for inference on a processor that computes the same in fewer passes.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; left as it is. Its weights are copied.

    Returns
    -------
    nn.Module
        The network itself where it is another than `SmallEncoder`, or torch lacks oneDNN.
    """
    has_onednn = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if has_onednn and type(network) is SmallEncoder:  # one made from it may compute something else
        return FusedSmallEncoder(network)
    return network


class FusedConvolution(nn.Module):
    """A convolution, its batch normalisation and a ReLU in one; the operators are those of torch.compile."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        folded = fuse_conv_bn_eval(convolution, norm)
        assert folded.bias is not None  # the shift of the normalisation
        weight = folded.weight.detach().contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(folded.bias.detach(), requires_grad=False)
        self._shape = ([*convolution.padding], [*convolution.stride], [*convolution.dilation], 1)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """[N, C, H, W] to the ReLU of its convolution, to which `skip`, of the result's shape, is added."""
        operator, layer = torch.ops.mkldnn._convolution_pointwise, (self.weight, self.bias, *self._shape)
        if skip is None:
            found: Tensor = operator(x, *layer, "relu", [], "")
        else:
            found = operator.binary(x, skip, *layer, "add", None, "relu", [], None)
        return found


class FusedBlock(nn.Module):
    """A `ResidualBlock` of two fused convolutions."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.first = FusedConvolution(block.conv1, block.norm1)
        self.second = FusedConvolution(block.conv2, block.norm2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same shape."""
        found: Tensor = self.second(self.first(x), skip=x)
        return found


class FusedSmallEncoder(nn.Module):
    """A `SmallEncoder` in evaluation mode with fused convolutions.

    Parameters
    ----------
    encoder : SmallEncoder
        Its weights are copied.
    """

    def __init__(self, encoder: SmallEncoder) -> None:
        super().__init__()
        self.dim = encoder.dim
        self.stem = nn.Sequential(*_fused_layers(encoder.stem))
        self.stages = nn.Sequential(*(nn.Sequential(*_fused_layers(stage)) for stage in encoder.stages))
        self.head = copy.deepcopy(encoder.head)

    def forward(self, images: Tensor) -> Tensor:
        """As `SmallEncoder`."""
        x = self.stem(brightness_evened(images))
        statistics = []
        for stage in self.stages:
            x = stage(x)
            # Of bfloat16 subtraction takes five times as long, and sums lose digits.
            statistics += mean_and_spread(x.float())
        found: Tensor = self.head(torch.cat(statistics, dim=1).to(self.head.weight.dtype))
        return found


def _fused_layers(layers: nn.Module) -> Iterator[nn.Module]:
    """Fuse the blocks of a stem or stage, and each convolution with the normalisation and ReLU behind it."""
    waiting = iter(layers.children())
    for layer in waiting:
        if isinstance(layer, ResidualBlock):
            yield FusedBlock(layer)
        else:
            norm, _relu = next(waiting), next(waiting)
            assert isinstance(layer, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            yield FusedConvolution(layer, norm)
