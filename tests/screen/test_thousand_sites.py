"""A plate of 1,000 sites of which 50 cannot be used, in ten ways: each is named, and the others are encoded."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellclip.model import IntensityStats, load_model
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, check_screen, iter_encode
from napari_cellclip.vocabulary import STAINS
from tests.cli.cli_terminal import call
from tests.tiny import write_tiny_model

SIZE, SITES = (32, 32), 4
WELLS = tuple(f"{row}{column:02d}" for row in "ABCDEFGHIJ" for column in range(1, 26))[:250]


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-700])


def no_image(file: Path) -> None:
    file.write_text("Thumbnails of this folder are kept elsewhere.\n" * 40)


def wrong_size(file: Path) -> None:
    tifffile.imwrite(file, np.full((16, 32), 700, np.uint16))


def not_numbers(file: Path) -> None:
    tifffile.imwrite(file, np.full(SIZE, np.nan, np.float32))


def colours(file: Path) -> None:
    tifffile.imwrite(file, np.full((*SIZE, 3), 90, np.uint8), photometric="rgb")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe_instead(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def garbage_pages(file: Path) -> None:
    """Let the list of pages start in the middle of the pixels."""
    content = bytearray(file.read_bytes())
    content[4:8] = struct.pack("<I", len(content) - 1001)
    file.write_bytes(content)


WAYS: dict[Callable[[Path], None], str] = {
    Path.unlink: "not found",
    empty: "is empty (0 bytes)",
    cut_short: "ends before its pixels do",
    no_image: "not a TIFF file",
    wrong_size: "different sizes",
    not_numbers: "pixels of type float32",
    colours: "is an RGB picture",
    folder_instead: "not found",
    pipe_instead: "not found",
    garbage_pages: "damaged, truncated or no TIFF file",
}
"""What is done to a file, and words of the reason that is given."""


def write_plate(folder: Path) -> Path:
    """Write the images of all sites, and the load_data table that names them."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(11)
    lines = [",".join(["Metadata_Well", "Metadata_Site", *(f"FileName_Orig{stain}" for stain in STAINS)])]
    for well in WELLS:
        for site in range(1, SITES + 1):
            names = [f"{well}_s{site}_{stain}.tiff" for stain in STAINS]
            for name in names:
                pixels = rng.integers(500, 3000) + rng.integers(0, 400, SIZE)
                tifffile.imwrite(folder / "images" / name, pixels.astype(np.uint16))
            lines.append(",".join([well, str(site), *names]))
    (folder / "load_data.csv").write_text("\n".join(lines) + "\n")
    return folder


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every shard: either changes when it is written again."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.glob("fields/**/*.parquet")}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX")
def test_fifty_bad_sites_of_a_thousand_are_named_and_mended(tmp_path: Path) -> None:
    plate, out = write_plate(tmp_path / "P1"), tmp_path / "screen"
    model = write_tiny_model(tmp_path / "model")
    ids = [f"P1/{well}/{site}" for well in WELLS for site in range(1, SITES + 1)]
    chosen = np.random.default_rng(4).choice(len(ids), 5 * len(WAYS), replace=False)
    ways = {ids[i]: way for i, way in zip(chosen.tolist(), list(WAYS) * 5, strict=True)}
    kept = tmp_path / "kept"
    kept.mkdir()
    spoilt: dict[str, Path] = {}
    for number, (site, way) in enumerate(ways.items()):
        _, well, field = site.split("/")
        file = plate / "images" / f"{well}_s{field}_{STAINS[number // 10]}.tiff"
        shutil.copy(file, kept)
        way(file)
        spoilt[site] = file

    run = iter_encode(open_plate(plate), None, load_model(model, device="cpu"), out)
    for step in run:
        if step.stage == "fields" and step.done >= 320:
            break
    run.close()
    begun = files(out)
    assert 10 <= len(begun) < 32

    verb = ("encode", plate, "--model", model, "--device", "cpu", "--out", out)
    result = call(*verb)
    assert result.exit_code == 0, result.stderr
    assert "50 sites could not be used" in result.stderr
    screen = Screen.open(out)
    reasons = dict(zip(screen.failures["Metadata_Site_id"], screen.failures["Metadata_Failure"], strict=True))
    assert set(reasons) == set(ways)
    for site, way in ways.items():
        assert f"  {site}: " in result.stderr
        assert WAYS[way] in reasons[site], way
        assert (
            way is wrong_size or spoilt[site].name in reasons[site]
        )  # sizes: any of five may be the odd one
    used = [site for site in ids if site not in ways]
    assert len(used) == 950
    assert screen.wells["Metadata_sites"].sum() == 950
    assert np.isfinite(screen.features(used)).all()
    done = files(out)
    assert begun.items() <= done.items()

    assert call(*verb).exit_code == 0
    assert files(out) == done

    for file in spoilt.values():
        if file.is_dir():
            file.rmdir()
        file.unlink(missing_ok=True)
        shutil.copy(kept / file.name, file)
    result = call(*verb, "--retry-failed")
    assert result.exit_code == 0, result.stderr
    assert "could not be used" not in result.stderr
    screen = Screen.open(out)
    assert screen.failures.empty
    assert screen.wells["Metadata_sites"].sum() == 1000
    assert check_screen(out) == []
    stats = IntensityStats.model_validate(screen.plates["P1"].intensity)
    sites = {site.id: site for site in open_plate(plate).sites}
    wanted = load_model(model, device="cpu").fields_features([sites[site].read() for site in ways], stats)
    np.testing.assert_allclose(screen.features(list(ways)), wanted, rtol=2e-3, atol=2e-3)
