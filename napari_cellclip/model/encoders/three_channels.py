"""One stain where an encoder expects three colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

Triple = tuple[float, float, float]


class ThreeChannels(nn.Module):
    """Repeats one stain three times and normalises it, as encoders made for colour pictures want it.

    Parameters
    ----------
    mean, std : sequence of float
        Of the three colours, for pixels in 0..1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] to [N, 3, H, W]."""
        return (images - self.mean) / self.std


class OnePlaneProjection(nn.Conv2d):
    """Patch projection of three equal, normalised planes, computed from one plane.

    Without padding, normalisation and projection of a plane repeated three times are one projection of that
    plane, exact up to rounding: ``sum_c W_c (x - m_c) / s_c + b = (sum_c W_c / s_c) x + b - sum_c W_c m_c /
    s_c``. That is a third of this layer's arithmetic and memory. The weights of three planes are kept, so
    that the network is saved as it was loaded.

    Parameters
    ----------
    projection : nn.Conv2d
        Of three planes, without padding. Its parameters are shared, not copied.
    mean, std : tuple of float
        Normalisation of the three colours, for pixels in 0..1.
    """

    one_plane_weight: Tensor
    one_plane_bias: Tensor

    def __init__(self, projection: nn.Conv2d, mean: Triple, std: Triple) -> None:
        kernel = (projection.kernel_size[0], projection.kernel_size[1])
        super().__init__(3, projection.out_channels, kernel, stride=kernel, bias=projection.bias is not None)
        self.weight, self.bias = projection.weight, projection.bias
        weight = projection.weight.detach().double()
        centre, spread = (weight.new_tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        bias = -(weight / spread * centre).sum(dim=(1, 2, 3))
        if projection.bias is not None:
            bias = bias + projection.bias.detach().double()
        one = (weight / spread).sum(dim=1, keepdim=True)
        self.register_buffer("one_plane_weight", one.to(projection.weight), persistent=False)
        self.register_buffer("one_plane_bias", bias.to(projection.weight), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] in 0..1 to [N, out_channels, rows, columns]."""
        return functional.conv2d(images, self.one_plane_weight, self.one_plane_bias, self.stride)


def one_plane_input(network: nn.Module, mean: Triple, std: Triple) -> nn.Module:
    """Let a network for colour pictures read one stain, without three equal planes where that is exact.

    Parameters
    ----------
    network : nn.Module
        Takes [N, 3, H, W]. The patch projection of a vision transformer is replaced by an
        `OnePlaneProjection`. Where the first convolution pads (convolutional networks), the border would
        differ, and the network stays as it is.
    mean, std : tuple of float
        Normalisation of the three colours, for pixels in 0..1.

    Returns
    -------
    nn.Module
        What to apply to [N, 1, H, W] in 0..1 before the network: nothing, or `ThreeChannels`.
    """
    projections = {name: m for name, m in network.named_modules() if _is_patch_projection(m)}
    if len(projections) != 1:
        return ThreeChannels(mean, std)
    ((name, projection),) = projections.items()
    parent = network.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], OnePlaneProjection(projection, mean, std))
    if getattr(parent, "num_channels", None) == 3:  # transformers compares it with what it is given
        parent.num_channels = 1  # type: ignore[assignment]
    return nn.Identity()


def _is_patch_projection(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        type(module) is nn.Conv2d
        and module.in_channels == 3
        and module.groups == 1
        and module.stride == module.kernel_size
        and module.padding in ((0, 0), "valid")
    )
