"""A GPU gives the numbers of a processor, whatever its batches, its number format and the number of GPUs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_cellclip.model import EncoderCard, IntensityStats, Model, SmallEncoder, Tiling
from napari_cellclip.model.pixel_encoder import BATCH, PixelEncoder
from napari_cellclip.screen.engines.site_encoder import SiteEncoder
from napari_cellclip.screen.storage.screen_json import PlateRecord
from tests.tiny import tiny_card

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
CARD = tiny_card(encoder=EncoderCard(kind="small", name="s", dim=128), tiling=Tiling(mode="grid", size=128))


@pytest.fixture
def pixels() -> list[NDArray[np.uint16]]:
    """Fields of 15 crops a stain, no two alike."""
    rng = np.random.default_rng(0)
    return [rng.integers(100, 4000 + 100 * i, (5, 384, 640), np.uint16) for i in range(6)]


@pytest.fixture
def ranges(pixels: list[NDArray[np.uint16]]) -> IntensityStats:
    return IntensityStats.measure(pixels, CARD.intensity)


@pytest.fixture
def whole_memory() -> Iterator[None]:
    """Give the memory back that a test took away."""
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def encoder_on(device: str, batch: int | None = None) -> PixelEncoder:
    torch.manual_seed(0)
    return PixelEncoder(CARD, SmallEncoder().eval(), torch.device(device), batch)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / norms)


def test_wells_and_texts(tiny_card, make_encoder, make_cellclip, tokenizer, fields) -> None:
    model = Model(tiny_card, make_cellclip(), tokenizer, make_encoder(), device="cpu")
    stats = IntensityStats.measure(fields, tiny_card.intensity)
    expected = model.fields_features(fields, stats)
    wells, texts = model.embed_wells([expected]), model.embed_texts(["nocodazole"])
    moved = Model(model.card, model.cellclip, model.tokenizer, model.encoder, device="cuda")
    np.testing.assert_allclose(moved.fields_features(fields, stats), expected, atol=1e-2)
    np.testing.assert_allclose(moved.embed_wells([expected]), wells, atol=1e-2)
    np.testing.assert_allclose(moved.embed_texts(["nocodazole"]), texts, atol=1e-2)


@pytest.mark.parametrize("batch", [5, 35, 1000])
def test_copies_beside_computation_mix_up_nothing(batch, pixels, ranges) -> None:
    """Page-locked buffers are used again and again; a copy that came too late would bring other crops."""
    expected = encoder_on("cpu").features(pixels, ranges)
    found = encoder_on("cuda", batch).features(pixels, ranges)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_bfloat16_keeps_the_direction(pixels, ranges) -> None:
    encoder = encoder_on("cuda")
    both = [encoder.features(pixels, ranges, form) for form in ("float32", "bfloat16")]
    assert cosines(*both).min() >= 0.999
    probe = encoder.choose_precision(pixels, ranges)
    assert probe.precision == "float32" or (probe.gain >= 1.25 and probe.cosine >= 0.999)


def test_the_batch_that_is_found_fits(pixels, ranges) -> None:
    encoder = encoder_on("cuda")
    encoder.choose_batch()
    assert encoder.batch_size >= BATCH
    np.testing.assert_allclose(
        encoder.features(pixels, ranges), encoder_on("cuda", BATCH).features(pixels, ranges), atol=1e-3
    )


def test_a_batch_that_does_not_fit_is_halved(pixels, ranges, whole_memory) -> None:
    expected = encoder_on("cuda", 20).features(pixels, ranges)
    torch.cuda.empty_cache()
    encoder = encoder_on("cuda", 450)
    total = torch.cuda.get_device_properties(0).total_memory
    # All 450 crops take 30 MB as float32, and several times that in the first layers.
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 60e6) / total)
    record = PlateRecord.model_construct(intensity=ranges.model_dump(mode="json"), precision="float32")
    sites = SiteEncoder(record, lambda: None)
    found = sites.encode(encoder, {f"P/A01/{i}": field for i, field in enumerate(pixels)})
    assert encoder.batch_size < 450
    assert "ran out" in sites.remarks[0]
    for result, features in zip(found, expected, strict=True):
        assert result.features is not None
        np.testing.assert_allclose(result.features, features, atol=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
def test_every_gpu_gives_the_same(pixels, ranges) -> None:
    encoders = encoder_on("cuda").on_all_devices()
    assert len(encoders) == torch.cuda.device_count()
    found = [encoder.features(pixels, ranges) for encoder in encoders]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-4)
