"""The channel encoder of the bundled model: one small residual network shared by all five stains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.weights.weight_files import find_weight_file, read_weights
from napari_cellclip.vocabulary import ModelError


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a skip (He et al. 2016).

    Batch and not group normalisation: the latter divides every image by its own spread, and the
    brightness of a stain, which is biology here, would be gone after the first layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same shape."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(y)))


def brightness_evened(images: Tensor) -> Tensor:
    """Take the square root: it evens out shot noise and lets dim structures count beside bright ones."""
    return images.clamp(min=0).sqrt_().contiguous(memory_format=torch.channels_last)


def mean_and_spread(maps: Tensor) -> list[Tensor]:
    """Compute mean and standard deviation of feature maps [N, C, H, W] over the crop, [N, C] each.

    Channels lie last in memory: as [N, pixels, channels] both are plain sums of rows. Reducing over dim
    (2, 3) takes fifty times as long on a CPU, a quarter of the whole encoder.
    """
    pixels = maps.permute(0, 2, 3, 1).flatten(1, 2)
    mean = pixels.mean(dim=1)
    return [mean, ((pixels - mean[:, None]).square().mean(dim=1) + 1e-6).sqrt()]


class SmallEncoder(nn.Module):
    """Features of single-stain crops, about 0.8 million parameters at the usual size.

    Parameters
    ----------
    dim : int
        Length of a feature vector.
    widths : sequence of int
        Channels of each stage; the first works at ``1 / stem`` of the resolution, each next at half of that
        before.
    depths : sequence of int
        Residual blocks of each stage.
    stem : {4, 2}
        Pixels to a step of the first layer. 2 keeps structures of one or two pixels (vesicles) apart.

    Examples
    --------
    >>> SmallEncoder(dim=16, widths=(8, 8), depths=(1, 1)).eval()(torch.zeros(3, 1, 40, 40)).shape
    torch.Size([3, 16])
    """

    def __init__(
        self,
        dim: int = 128,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (1, 1, 2, 2),
        stem: int = 4,
    ) -> None:
        super().__init__()
        if not widths or len(widths) != len(depths):
            raise ValueError(f"one depth for each width is needed, got widths {widths} and depths {depths}")
        self.dim = dim
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 2 * stem, stride=stem, padding=stem // 2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            layers: list[nn.Module] = []
            if i:
                layers += [
                    nn.Conv2d(widths[i - 1], width, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
            layers += [ResidualBlock(width) for _ in range(depth)]
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(2 * sum(widths), dim)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Encode single-stain crops.

        Parameters
        ----------
        images : Tensor
            [N, 1, H, W] float, intensities scaled to 0..1; H and W at least ``stem``.

        Returns
        -------
        Tensor
            [N, dim]. Mean and spread over the crop of every stage's feature maps, projected: the mean says
            how much of a pattern there is, the spread whether it sits in few places. Early stages see grain
            and edges, late ones cells, and both tell treatments apart.
        """
        x = self.stem(brightness_evened(images))
        statistics = []
        for stage in self.stages:
            x = stage(x)
            statistics += mean_and_spread(x)
        return self.head(torch.cat(statistics, dim=1))


def load(card: EncoderCard, source: Path, size: int) -> SmallEncoder:
    """Load the encoder from its file of weights, or the folder that holds it; crops may have any size.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another encoder.
    """
    state = read_weights(find_weight_file(source))
    with torch.device("meta"):  # a card can state any size: memory is taken for the weights that are there
        encoder = SmallEncoder(card.dim, card.widths, card.depths, card.stem)
    try:
        encoder.load_state_dict(
            {name: t.float() if t.is_floating_point() else t for name, t in state.items()},
            strict=True,
            assign=True,
        )
        encoder.to(memory_format=torch.channels_last)
    except (RuntimeError, AttributeError) as error:
        raise ModelError(f"{source} does not hold this model's channel encoder: {error}") from error
    return encoder
