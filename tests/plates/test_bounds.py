"""No size out of a file is believed before it is checked, and nothing that is no file is waited for."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import tifffile
import zarr.codecs

from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.plates.images import plane
from napari_cellclip.plates.images.inflation import inflates_beyond
from napari_cellclip.plates.images.zarr_metadata import read_metadata, zarr_shape
from napari_cellclip.plates.platemaps import tables
from napari_cellclip.vocabulary import PlateError, PlateMapError
from tests.hostile_files import EVIL_VALUES
from tests.plates.hostile_plates import PLATES, looked_through, write_ome_zarr, write_phenix
from tests.plates.layouts.test_jump_lite import write as write_jump_lite
from tests.plates.made_plates import image

REPOSITORY = Path(__file__).parents[2]
ARRAY = Path("B", "3", "0", "0")


def beyond(file: Path, compressor: str, limit: int) -> bool:
    with file.open("rb") as stream:
        return inflates_beyond(stream, file.stat().st_size, compressor, limit)


def checksummed(index: bytes) -> bytes:
    return bytes(numcodecs.checksum32.CRC32C(location="end").encode(index))


def edit(path: Path, key: str, value: object) -> None:
    content = json.loads(path.read_text())
    content[key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("value", EVIL_VALUES, ids=lambda v: f"{type(v).__name__} {str(v)[:12]!r}")
@pytest.mark.parametrize("key", ["shape", "chunks", "dtype", "compressor", "filters", "order", "zarr_format"])
def test_any_value_in_the_metadata_of_an_array_is_a_sentence(tmp_path: Path, key: str, value: object) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr")
    edit(root / ARRAY / ".zarray", key, value)
    assert looked_through(root) in ("refused", "read", "a site refused")


@pytest.mark.parametrize("value", EVIL_VALUES, ids=lambda v: f"{type(v).__name__} {str(v)[:12]!r}")
@pytest.mark.parametrize("place", ["axes", "datasets", "scale", "omero"])
def test_any_value_in_the_metadata_of_an_image_is_a_sentence(
    tmp_path: Path, place: str, value: object
) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr")
    path = root / "B/3/0/.zattrs"
    content = json.loads(path.read_text())
    scales = content["multiscales"][0]
    if place == "scale":
        scales["datasets"][0]["coordinateTransformations"][0]["scale"] = [1, 1, value]
    elif place == "omero":
        content["omero"] = value
    else:
        scales[place] = value
    path.write_text(json.dumps(content))
    assert looked_through(root) in ("refused", "read", "a site refused")


@pytest.mark.parametrize("shape", [[10**18, 6, 8], [5, 10**9, 10**9], [-1, 6, 8], [5, 6], "5", [5, 6.5, 8]])
def test_absurd_shapes_are_refused_by_the_field(tmp_path: Path, shape: object) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr")
    edit(root / ARRAY / ".zarray", "shape", shape)
    assert looked_through(root) in ("refused", "a site refused")


def test_images_and_wells_that_are_listed_twice_are_read_once_and_named(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr")
    edit(root / "B/3/.zattrs", "well", {"images": [{"path": "0"}, {"path": "0"}, {"path": "00"}]})
    plate = open_plate(root)
    assert [site.id for site in plate.sites] == ["P1/B03/0"]
    assert sum("lists this image twice" in problem.what for problem in plate.problems) == 2


def test_a_stack_of_too_many_planes_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = write_ome_zarr(tmp_path / "P.zarr", shape=(1, 5, 7, 6, 8))
    (tmp_path / "tiffs").mkdir()
    for stain in ("DNA", "ER", "RNA", "AGP", "Mito"):
        pixels = np.stack([image(1)] * 7)
        tifffile.imwrite(
            tmp_path / f"tiffs/A01_s1_{stain}.tif", pixels, imagej=True, metadata={"axes": "ZYX"}
        )
    assert looked_through(deep) == looked_through(tmp_path / "tiffs") == "read"
    monkeypatch.setattr(plane, "MAX_STACK_PIXELS", 6 * 8 * 6)
    for folder in (deep, tmp_path / "tiffs"):
        with pytest.raises(PlateError, match="claims 7 x 6 x 8 pixels"):
            open_plate(folder).sites[0].read(["DNA"])


def test_a_tile_that_claims_more_than_a_stack_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "A01_s1_DNA.tif", image(1), tile=(16, 16))
    open_plate(tmp_path).sites[0].read(["DNA"])
    monkeypatch.setattr(plane, "MAX_STACK_PIXELS", 200)
    with pytest.raises(PlateError, match="claims 1 x 16 x 16 pixels"):
        open_plate(tmp_path).sites[0].read(["DNA"])


PACKED = {
    "zlib": zlib.compress,
    "gzip": lambda data: __import__("gzip").compress(data),
    "bz2": bz2.compress,
    "lzma": lzma.compress,
    "zstd": numcodecs.Zstd().encode,
    "blosc": numcodecs.Blosc().encode,
    "lz4": numcodecs.LZ4().encode,
}


@pytest.mark.parametrize("compressor", PACKED)
def test_what_a_chunk_inflates_to_is_found_without_inflating_it(tmp_path: Path, compressor: str) -> None:
    size = 50 * 2**20
    file = tmp_path / "chunk"
    file.write_bytes(bytes(PACKED[compressor](bytes(size))))
    tracemalloc.start()
    try:
        assert beyond(file, compressor, 10 * 2**20)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()
    assert not beyond(file, compressor, size)


def test_zstd_frames_that_do_not_state_their_size_are_counted(tmp_path: Path) -> None:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(bytes(20 * 2**20))
    (tmp_path / "chunk").write_bytes(sink.getvalue().to_pybytes())
    assert beyond(tmp_path / "chunk", "zstd", 10 * 2**20)
    assert not beyond(tmp_path / "chunk", "zstd", 20 * 2**20)


def test_a_chunk_that_inflates_is_refused_by_its_name(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", compressors=numcodecs.Zlib())
    assert looked_through(root) == "read"
    (root / ARRAY / "0.0.0").write_bytes(zlib.compress(bytes(100 * 2**20)))
    with pytest.raises(PlateError, match=r"0\.0\.0 unpacks to more"):
        open_plate(root).sites[0].read(["DNA"])


@pytest.mark.parametrize(
    ("codec", "bomb"),
    [
        (zarr.codecs.GzipCodec(), lambda: gzip.compress(bytes(100 * 2**20))),
        (zarr.codecs.ZstdCodec(), lambda: numcodecs.Zstd().encode(bytes(100 * 2**20))),
        (zarr.codecs.BloscCodec(), lambda: numcodecs.Blosc().encode(np.zeros(100 * 2**20, np.uint8))),
    ],
)
@pytest.mark.parametrize("location", ["start", "end"])
def test_a_chunk_in_a_shard_that_inflates_is_refused(
    tmp_path: Path, codec: object, bomb: object, location: str
) -> None:
    """Before, the file was as small as a shard may be, and what it held was unpacked whole."""
    shards = {"shape": (5, 6, 8), "index_location": location}
    root = write_ome_zarr(tmp_path / "P.zarr", 3, chunks=(1, 6, 8), shards=shards, compressors=codec)
    assert looked_through(root) == "read"
    (file,) = [path for path in (root / ARRAY).rglob("*") if path.is_file() and path.name == "0"]
    content = bytes(bomb())
    index = struct.pack("<QQ", 84 if location == "start" else 0, len(content)) * 5
    index = checksummed(index)
    file.write_bytes(index + content if location == "start" else content + index)
    with pytest.raises(PlateError, match="unpacks to more than a chunk"):
        open_plate(root).sites[0].read(["DNA"])
    # An index that leads out of its file, and one that is longer than the file.
    for offset in (2**40, 10):
        damaged = struct.pack("<QQ", offset, 2**30) * 5
        file.write_bytes(checksummed(damaged))
        with pytest.raises(PlateError, match="unpacks to more than a chunk"):
            open_plate(root).sites[0].read(["DNA"])
    file.write_bytes(b"short")
    with pytest.raises(PlateError, match="unpacks to more than a chunk"):
        open_plate(root).sites[0].read(["DNA"])


def test_shards_in_shards_are_refused(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", 3, chunks=(1, 6, 8), shards=(5, 6, 8))
    content = json.loads((root / ARRAY / "zarr.json").read_text())
    (shard,) = content["codecs"]
    shard["configuration"]["codecs"] = [json.loads(json.dumps(shard))]
    (root / ARRAY / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(PlateError, match="shards in shards"):
        open_plate(root).sites[0].read(["DNA"])


@pytest.mark.parametrize("shape", [(40, 1024, 1024), (6000, 8000)])
def test_jpeg_xl_that_claims_more_than_its_chunk_is_refused_unread(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """A few kilobytes may claim any number of frames and pixels."""
    imagecodecs = pytest.importorskip("imagecodecs")
    store = write_jump_lite(tmp_path / "mq.zarr", ["source_4__B__BR1__A01__1"], "jpegxl")
    assert open_plate(store).sites[0].read(["DNA"]).shape == (1, 16, 24)
    (chunk,) = [path for path in store.rglob("*") if path.name == "0.0.0"]
    claims = bytes(imagecodecs.jpegxl_encode(np.zeros(shape, np.uint16), lossless=True, effort=1))
    assert len(claims) < 30_000
    chunk.write_bytes(claims)
    with pytest.raises(PlateError, match="unpacks to more than a chunk"):
        open_plate(store).sites[0].read(["DNA"])


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", compressors=numcodecs.Zlib())
    edit(root / ARRAY / ".zarray", "filters", [{"id": "zlib", "level": 1}])
    with pytest.raises(PlateError, match="compressed twice"):
        open_plate(root).sites[0].read(["DNA"])


@pytest.mark.parametrize("version", [2, 3])
def test_good_arrays_have_the_metadata_they_were_written_with(tmp_path: Path, version: int) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr", version)
    found = read_metadata(root / ARRAY)
    assert zarr_shape(root / ARRAY) == found.shape == (5, 6, 8)
    assert (found.chunks, found.itemsize, found.compressor) == (
        (1, 6, 8),
        2,
        "zstd" if version == 3 else "blosc",
    ) or (found.compressor == "zstd")
    assert [file.is_file() for file in found.files([0])] == [True]


def test_an_archive_that_claims_gigabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    folder = PLATES["npz"](tmp_path / "p")
    bad = sorted(folder.glob("*.npz"))[0]
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (40000, 40000, 5), }"
    padded = header + b" " * (63 - (10 + len(header)) % 64) + b"\n"
    with (
        zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("sample.npy", "w") as member,
    ):
        member.write(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + bytes(1000))
    with pytest.raises(PlateError, match="claims"):
        open_plate(folder).sites[0].read(["DNA"])


def test_a_plate_of_a_million_rows_is_not_believed(tmp_path: Path) -> None:
    index = write_phenix(tmp_path / "BR1") / "Images" / "Index.idx.xml"
    text = index.read_text(encoding="utf-8-sig")
    text = text.replace("<PlateRows>16<", "<PlateRows>1000000<").replace(
        "<PlateColumns>24<", "<PlateColumns>1000000<"
    )
    index.write_text(text)
    assert open_plate(tmp_path / "BR1").shape == (8, 12)


def test_cells_of_a_table_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 1000)
    (tmp_path / "map.csv").write_text("well,compound\n" + "A01,DMSO\n" * 600)
    with pytest.raises(PlateMapError, match="more than 1,000 cells"):
        PlateMap.read(tmp_path / "map.csv")


@pytest.mark.parametrize("name", ["\ud800", "a\ud83d"])
def test_names_that_are_halves_of_characters_are_refused(tmp_path: Path, name: str) -> None:
    root = write_ome_zarr(tmp_path / "P.zarr")
    edit(root / ".zattrs", "plate", json.loads((root / ".zattrs").read_text())["plate"] | {"name": name})
    with pytest.raises(PlateError, match="no text in UTF-8"):
        open_plate(root)


@pytest.mark.parametrize("column", ["Metadata_Site", "Metadata_Well", "Metadata_Plate"])
@pytest.mark.parametrize("text", ["9" * 5000, "\0", "-1", "²", "1e400"])
def test_numbers_of_5000_digits_in_load_data_are_no_traceback(tmp_path: Path, column: str, text: str) -> None:
    folder = PLATES["load_data"](tmp_path / "p")
    table = folder / "load_data.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[1][lines[0].index(column)] = text
    table.write_text("\n".join(",".join(line) for line in lines))
    assert looked_through(folder) in ("refused", "read", "a site refused")


def test_links_that_run_in_a_circle_end(tmp_path: Path) -> None:
    folder = PLATES["png"](tmp_path / "P1")
    (folder / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "A02_s1_DNA.png").symlink_to(folder / "self.png")
    assert len(open_plate(folder).wells) == 1


PIPES = """
import os, signal, sys
from pathlib import Path
from tests.plates.hostile_plates import looked_through
def late(*_): raise TimeoutError
signal.signal(signal.SIGALRM, late)
for root in map(Path, sys.argv[1:]):
    tried, hung = 0, []
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        signal.alarm(5)
        try:
            looked_through(root)
        except TimeoutError:
            hung.append(str(file))
        signal.alarm(0)
        file.unlink()
        file.write_bytes(content)
        tried += 1
    print(root, tried > 0, hung)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are POSIX")
def test_a_pipe_in_place_of_any_file_is_not_waited_for(tmp_path: Path) -> None:
    """Of any layout; one process for all of them, which an alarm can wake."""
    roots = [write(tmp_path / f"P{number}") for number, write in enumerate(PLATES.values())]
    words = [sys.executable, "-c", PIPES, *map(str, roots)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == [f"{root} True []" for root in roots], done.stderr[-2000:]
