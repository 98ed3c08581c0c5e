"""Flags of image quality: how often they are wrong, which faults they find; the table of docs/quality.md."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.accuracy.script import progress
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.images.field_quality import QUALITY_COLUMNS, measure_field
from napari_cellclip.screen.quality import FLAGS, flag_sites
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.vocabulary import STAINS

PARTS = 3
"""Parts along each side of a real field, which stand for sites: no whole plate of real images is at hand."""

REAL = (
    ("img_cpjump1_treated", None),
    ("img_jump_rab30", None),
    ("img_jump_rab30", "CP-CC9-R1-05"),
    ("img_bray2017_plate24279", None),
    ("img_pe2loaddata_phenix/Version1", None),
)
"""Folders of real fields with all five stains, and the plate to open: its parts stand for a plate's sites."""

CHANNELS = {"DNA": "ch5", "ER": "ch4", "RNA": "ch3", "AGP": "ch2", "Mito": "ch1"}
"""Of CPJUMP1, whose images are here without their index."""

Fault = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


def main(
    data: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the real fields.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("flags.json"),
    plates: Annotated[int, typer.Option(min=0, help="Simulated plates.")] = 3,
    wells: Annotated[int, typer.Option(min=8, help="Wells of each.")] = 48,
) -> None:
    """Flag real fields, parts of them and simulated plates, intact and with one fault at a time.

    Example: python -m benchmarks.accuracy.quality_flags real-fields
    """
    results: dict[str, Any] = {"real fields": whole_fields(data)}
    sets = {"parts of real fields": list(parts_of(data)), "simulated plates": list(simulated(plates, wells))}
    for name, found in sets.items():
        progress(name)
        results[name] = {"intact": intact(found), "faults": faulted(found)}
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def whole_fields(data: Path) -> dict[str, Any]:
    """Flags of the real fields as they are: too few on a plate to compare, so those with fixed limits."""
    flagged: Counter[str] = Counter()
    count = 0
    for name, plate in REAL:
        table = pd.DataFrame([measure_field(pixels) for pixels in fields_of(data / name, plate)])
        count += len(table)
        flagged.update(text for text in flag_sites(table) if text)
    return {"sites": count, "flagged": dict(flagged)}


def fields_of(folder: Path, plate: str | None) -> Iterator[NDArray[Any]]:
    """Pixels (5, Y, X) of each field of a plate."""
    channels = CHANNELS if "cpjump1" in folder.name else None
    for site in open_plate(folder, channels=channels, name=plate).sites:
        yield site.read(STAINS)


def parts_of(data: Path) -> Iterator[list[NDArray[Any]]]:
    """Parts of the fields of each set."""
    for name, plate in REAL:
        parts = []
        for pixels in fields_of(data / name, plate):
            y, x = pixels.shape[1] // PARTS, pixels.shape[2] // PARTS
            parts += [
                pixels[:, i * y : (i + 1) * y, j * x : (j + 1) * x]
                for i in range(PARTS)
                for j in range(PARTS)
            ]
        yield parts


def simulated(plates: int, wells: int) -> Iterator[list[NDArray[Any]]]:
    """Fields of simulated plates."""
    for seed in range(plates):
        with tempfile.TemporaryDirectory() as folder:
            place = simulate_plate(
                Path(folder) / "P", wells=wells, sites=2, seed=seed, size=(320, 320), workers=1
            )
            yield [site.read(STAINS) for site in open_plate(place).sites]


def measured(site: NDArray[Any]) -> dict[str, float]:
    """Quality of a site, with every column."""
    return dict.fromkeys(QUALITY_COLUMNS, np.nan) | measure_field(site)


def intact(plates: list[list[NDArray[Any]]]) -> dict[str, Any]:
    """Flags of plates on which nothing was changed."""
    flagged: Counter[str] = Counter()
    per_plate = []
    for sites in plates:
        texts = flag_sites(pd.DataFrame([measured(site) for site in sites]))
        flagged.update(flag for flag in FLAGS for text in texts if f"{flag} (" in text)
        per_plate.append(int((texts != "").sum()))
    return {
        "plates": len(plates),
        "sites": sum(map(len, plates)),
        "flagged a plate": per_plate,
        "as": dict(flagged),
    }


def faulted(plates: list[list[NDArray[Any]]]) -> dict[str, Any]:
    """Share of sites with a fault that are flagged as that, one at a time on an otherwise intact plate."""
    found: dict[str, Any] = {}
    for name, (flag, fault) in faults().items():
        hits = tried = others = 0
        for number, sites in enumerate(plates):
            table = pd.DataFrame([measured(site) for site in sites])
            rng = np.random.default_rng(number)
            for i in range(0, len(sites), max(1, len(sites) // 12)):
                changed = table.copy()
                changed.loc[i] = measured(fault(sites[i], rng))
                texts = flag_sites(changed)
                tried += 1
                hits += f"{flag} (" in texts[i]
                others += int((texts.drop(i) != "").sum() > (flag_sites(table).drop(i) != "").sum())
        low, high = wilson(hits, tried)
        found[name] = {
            "flag": flag,
            "found": hits,
            "of": tried,
            "low": low,
            "high": high,
            "others flagged": others,
        }
    return found


def faults() -> dict[str, tuple[str, Fault]]:
    """The faults, each of all stains, in growing strength."""
    made: dict[str, tuple[str, Fault]] = {}
    for sigma in (1, 2, 4):
        made[f"defocus, {sigma} px"] = "out of focus", _defocus(sigma)
    for share in (0.005, 0.02, 0.1):
        made[f"saturated, {100 * share:g} %"] = "saturated", _saturated(share)
    made["empty, noise alone"] = "empty", _empty
    for times in (1.5, 2, 4):
        made[f"haze, {times:g} x background"] = "background", _haze(times)
    for share in (0.02, 0.1, 0.4):
        made[f"debris on {100 * share:g} %"] = "background", _debris(share)
    return made


def _noisy(image: NDArray[np.floating], like: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Counts with noise of the size that light has at these counts."""
    noise = rng.normal(0, np.sqrt(np.maximum(image, 1)) / 2)
    return np.clip(np.rint(image + noise), 0, 65535).astype(like.dtype)


def _defocus(sigma: float) -> Fault:
    def fault(site: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        blurred = np.stack([ndimage.gaussian_filter(image.astype(np.float32), sigma) for image in site])
        return _noisy(blurred, site, rng)

    return fault


def _saturated(share: float) -> Fault:
    def fault(site: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        tops = np.quantile(site, 1 - share, axis=(1, 2), keepdims=True)
        return np.minimum(np.rint(site / np.maximum(tops, 1) * 65535), 65535).astype(np.uint16)

    return fault


def _empty(site: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    level = np.percentile(site, 1, axis=(1, 2), keepdims=True)
    return _noisy(np.broadcast_to(level, site.shape).astype(np.float32), site, rng)


def _haze(times: float) -> Fault:
    def fault(site: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        level = np.percentile(site, 1, axis=(1, 2), keepdims=True)
        return _noisy(site + (times - 1) * level, site, rng)

    return fault


def _debris(share: float) -> Fault:
    """A bright round body out of focus, ten times the median of each stain, on a share of the field."""

    def fault(site: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        y, x = site.shape[1:]
        radius = np.sqrt(share * y * x / np.pi)
        centre = rng.uniform(0.3, 0.7, 2) * (y, x)
        rows, columns = np.ogrid[:y, :x]
        inside = np.hypot(rows - centre[0], columns - centre[1]) < radius
        body = ndimage.gaussian_filter(inside.astype(np.float32), radius / 3)
        level = np.median(site, axis=(1, 2), keepdims=True)
        return _noisy(site + 10 * level * body, site, rng)

    return fault


def wilson(hits: int, tried: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.959964, hits / tried
    middle, half = p + z**2 / (2 * tried), z * np.sqrt(p * (1 - p) / tried + z**2 / (4 * tried**2))
    scale = 1 + z**2 / tried
    return round(float((middle - half) / scale), 3), round(float((middle + half) / scale), 3)


if __name__ == "__main__":
    typer.run(main)
