"""One plane gives what three equal, normalised planes give; networks are saved as they were loaded."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_cellclip.model.encoders.three_channels import OnePlaneProjection, ThreeChannels, one_plane_input

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@settings(deadline=None, max_examples=25)
@given(
    patch=st.integers(1, 16),
    width=st.integers(1, 32),
    grid=st.integers(1, 5),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_one_plane_is_exact_to_rounding(patch: int, width: int, grid: int, bias: bool, seed: int) -> None:
    torch.manual_seed(seed)
    projection = nn.Conv2d(3, width, patch, stride=patch, bias=bias)
    images = torch.rand(2, 1, grid * patch, grid * patch)
    with torch.no_grad():
        expected = projection(ThreeChannels(MEAN, STD)(images))
        torch.testing.assert_close(
            OnePlaneProjection(projection, MEAN, STD)(images), expected, atol=1e-5, rtol=1e-5
        )


def test_it_costs_a_third() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    projection = nn.Conv2d(3, 8, 4, stride=4)
    one = OnePlaneProjection(projection, MEAN, STD)
    counted = []
    for network, planes in ((projection, 3), (one, 1)):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.rand(1, planes, 32, 32))
        counted.append(counter.get_total_flops())
    assert counted[0] == 3 * counted[1]


def test_weights_are_shared_and_saved_as_they_were() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert isinstance(one_plane_input(network, MEAN, STD), nn.Identity)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "first",
    [
        nn.Conv2d(3, 4, 3, stride=2, padding=1),  # pads: the border would differ
        nn.Conv2d(3, 4, 3, stride=2),  # windows overlap: not a patch projection
        nn.Conv2d(3, 6, 4, stride=4, groups=3),
        nn.Conv2d(1, 4, 4, stride=4),
    ],
)
def test_other_networks_get_three_planes(first: nn.Module) -> None:
    network = nn.Sequential(first)
    assert isinstance(one_plane_input(network, MEAN, STD), ThreeChannels)
    assert network[0] is first


def test_two_projections_are_left_alone() -> None:
    network = nn.ModuleList([nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(3, 4, 8, stride=8)])
    assert isinstance(one_plane_input(network, MEAN, STD), ThreeChannels)
