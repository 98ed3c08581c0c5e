"""Encoding a plate: end to end against the bare channel encoder, and against a straightforward pipeline.

The bare encoder gets the very crops of the plate, ready in memory: once as it is loaded, 64 at once, all
threads of torch in each layer; once as it is computed here, 20 on each core, linear layers by the faster
library. What encoding is slower by than the latter is the rest: reading TIFF files, measuring quality,
scaling, cutting, averaging, previews, shards, wells. What cannot be avoided is reading and measuring all
fields in two threads while the bare encoder computes beside them: what encoding is slower by than that is
ours alone. The straightforward pipeline is what a notebook does: well by well, site by site, stain by stain
it reads the file, scales to 8 bit in float64, gives the stain to the network's image processor, which makes
three float32 planes, and runs the network on the crops of that stain. Random weights; simulated images.
`encode_demo` and `encode_dinov2` are the scripts.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
import torch
from torch import nn

from benchmarks.speed.figures import Figure, compare
from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    IntensityScaling,
    IntensityStats,
    Model,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
)
from napari_cellclip.model.encoders.batches_ahead import alone, on_each_core
from napari_cellclip.model.encoders.intensity import brightest_threshold, scale_field
from napari_cellclip.model.encoders.transformers_encoder import IMAGENET, TransformersEncoder
from napari_cellclip.plates import Plate, Site, open_plate
from napari_cellclip.plates.images.field_quality import measure_field
from napari_cellclip.screen import Screen, encode
from napari_cellclip.screen.engines import plate_intensity
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.vocabulary import STAINS

BATCH = 64


def linked_plate(folder: Path, size: int, sites: int) -> Plate:
    """A plate of six wells: the first site of each is simulated, the others are links to its files."""
    drawn = open_plate(simulate_plate(folder / "drawn", wells=6, sites=1, size=(size, size), seed=1))
    made = folder / "plate"
    made.mkdir()
    for first in drawn.sites:
        for stain, image in zip(STAINS, first.read(STAINS), strict=True):
            file = made / f"{first.well}_s1_{stain}.tiff"
            tifffile.imwrite(file, image, compression="zlib")
            for number in range(2, sites + 1):
                (made / f"{first.well}_s{number}_{stain}.tiff").hardlink_to(file)
    return open_plate(made)


SMALL_TEXT_TOWER = {
    "text_width": 64,
    "text_layers": 1,
    "text_heads": 2,
    "text_intermediate": 64,
    "text_positions": 32,
}


def small_words() -> WordPieceTokenizer:
    """Words for a small text tower."""
    return WordPieceTokenizer.build(
        ["U2OS cells treated with tubulin inhibitor"] * 3, size=200, max_length=32
    )


def model_of(encoder: SmallEncoder | TransformersEncoder, intensity: IntensityScaling, crop: int) -> Model:
    """A model with a small random head."""
    words = small_words()
    config = CellCLIPConfig(
        width=encoder.dim, embed_dim=128, layers=2, text_vocabulary=len(words), **SMALL_TEXT_TOWER
    )
    kind = "small" if isinstance(encoder, SmallEncoder) else "dinov2"
    card = ModelCard(
        name="random",
        encoder=EncoderCard(kind=kind, name="random", dim=encoder.dim),
        intensity=intensity,
        tiling=Tiling(mode="grid", size=crop),
        embed_dim=128,
    )
    return Model(card, CellCLIP(config), words, encoder.eval(), device="auto")


def ready_crops(plate: Plate, model: Model, stats: IntensityStats | None) -> torch.Tensor:
    """The crops of a plate as the encoder gets them."""
    slots = [STAINS.index(stain) for stain in model.card.stain_order]
    fields = (scale_field(site.read(STAINS), model.card.intensity, stats)[slots] for site in plate.sites)
    crops = [crop for field in fields for crop in model.card.tiling.windows(field)]
    return torch.from_numpy(np.concatenate(crops)[:, None])


def straightforward(
    plate: Plate, model: Model, network: nn.Module, stats: IntensityStats | None
) -> np.ndarray:
    """Well by well, stain by stain, as a notebook would: features of sites."""
    from transformers import BitImageProcessor

    steps = {"do_resize": False, "do_center_crop": False, "do_convert_rgb": False}
    processor = BitImageProcessor(**steps, image_mean=list(IMAGENET[0]), image_std=list(IMAGENET[1]))
    found = []
    for well in plate.wells:
        for site in well.sites:
            rows = []
            for stain in STAINS:
                image = site.read([stain])[0].astype(np.float64)
                if model.card.intensity.kind == "plate" and stats is not None:
                    span = 2 * (stats.high[stain] - stats.low[stain])
                    level = np.clip((image - stats.low[stain]) / span, 0, 1).astype(np.float32)[None]
                    batch = torch.from_numpy(np.stack(list(model.card.tiling.windows(level))))
                else:
                    level = np.clip(image * 256 / brightest_threshold(image), 0, 255).astype(np.uint8)
                    crops = [np.repeat(crop, 3, axis=0) for crop in model.card.tiling.windows(level[None])]
                    batch = processor(crops, input_data_format="channels_first", return_tensors="pt")[
                        "pixel_values"
                    ]
                with torch.inference_mode():
                    out = network(batch.to(model.device))
                rows.append(
                    (out if isinstance(out, torch.Tensor) else out.last_hidden_state[:, 0]).mean(dim=0)
                )
            found.append(torch.stack(rows).cpu().numpy())
    return np.stack(found)


def measured(
    name: str, plate: Plate, model: Model, plain: nn.Module, scratch: Path, rounds: int
) -> list[Figure]:
    """All comparisons for one encoder, on the GPU where there is one."""
    fields = [site.read(STAINS) for site in plate.sites[:8]]
    stats = (
        IntensityStats.measure(fields, model.card.intensity) if model.card.intensity.kind == "plate" else None
    )
    crops = ready_crops(plate, model, stats)
    as_loaded, as_here = crops.split(BATCH), crops.split(model.pixels.batch_size)
    plain.to(model.device)

    def bare() -> None:
        with torch.inference_mode():
            for batch in as_loaded:
                model.encoder(batch.to(model.device)).cpu().numpy()

    def arranged() -> None:
        for _ in on_each_core(as_here, lambda batch: model.pixels.scaled_crops(batch.numpy())):
            pass

    def unavoidable() -> None:
        with ThreadPoolExecutor(2) as pool:
            reading = [pool.submit(read_and_measure, site) for site in plate.sites]
            arranged()
            for one in reading:
                one.result()

    def whole(precision: str) -> Screen:
        shutil.rmtree(scratch / "screen", ignore_errors=True)
        return encode(plate, None, model, scratch / "screen", precision=precision)

    size = f"{len(plate.sites)} sites, {len(crops)} crops of {model.card.tiling.size} pixels"
    wanted = {"wanted": "<= 1.053", "rounds": rounds}  # .95 of a rate is 1.053 of a time
    with intensities_of_few():
        start = time.perf_counter()
        chosen = next(iter(whole("auto").plates.values())).precision
        both = f"the first run, which also measures number formats, took {time.perf_counter() - start:.1f} s"
        return [
            compare(
                f"encode, {name}, float32: {size}",
                lambda: whole("float32"),
                bare,
                against=f"the bare encoder as it is loaded, {BATCH} crops at once, on crops that lie ready",
                **wanted,
            ),
            compare(
                f"encode, {name}, float32: {size}",
                lambda: whole("float32"),
                arranged,
                against="the bare encoder as it is computed here, on crops that lie ready",
                limit=bound(plate, model, as_here),
                warm_up=False,
                **wanted,
            ),
            compare(
                f"encode, {name}, float32: {size}",
                lambda: whole("float32"),
                unavoidable,
                against="the bare encoder as computed here, and beside it reading and measuring the fields",
                limit="1: both at once on the same cores, and nothing else",
                warm_up=False,
                **wanted,
            ),
            compare(
                f"encode, {name}, {chosen}, chosen by measurement: {size}",
                lambda: whole(chosen),
                lambda: straightforward(plate, model, plain, stats),
                against="a straightforward pipeline, float32, stain by stain",
                wanted="<= 0.5",
                limit=both,
                rounds=rounds,
            ),
        ]


def read_and_measure(site: Site) -> None:
    """Read a site and measure its quality, as encoding does."""
    measure_field(site.read(STAINS))


def bound(plate: Plate, model: Model, batches: Sequence[torch.Tensor]) -> str:
    """Processor time of reading and measuring a site beside that of its crops, in words."""
    site = plate.sites[0]
    work = partial(model.pixels.scaled_crops, batches[0].numpy())
    encoding = min(cpu(partial(alone, work)) for _ in range(3)) / len(batches[0])
    encoding *= sum(map(len, batches)) / len(plate.sites)
    reading = min(cpu(lambda: read_and_measure(site)) for _ in range(3))
    return (
        f"processor time a site: {1e3 * encoding:.0f} ms for its crops, {1e3 * reading:.0f} ms to read "
        f"it and measure its quality, on the same cores: a ratio of {1 + reading / encoding:.2f}, were "
        "nothing else to do"
    )


def cpu(work: Callable[[], object]) -> float:
    """Seconds of processor time, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


@contextmanager
def intensities_of_few() -> Iterator[None]:
    """Measure intensities on one site: of these few sites that is about the share that 48 are of a plate."""
    before = plate_intensity.SITES
    plate_intensity.SITES = 1
    try:
        yield
    finally:
        plate_intensity.SITES = before
