"""Tables of a screen have one schema, whether its features were encoded or imported."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from tests.tiny import tiny_model, write_tiff_plate


def test_encoding_and_importing_write_the_same_schemas(tmp_path) -> None:
    model = tiny_model()
    encode(open_plate(write_tiff_plate(tmp_path / "P1")), None, model, tmp_path / "encoded")
    sites = ("P1/A01/1", "P1/A01/2", "P1/Z/1")  # the last names no well
    features = np.ones((3, 5, model.card.encoder.dim), np.float32)
    plate = MeasuredPlate("P1", sites, features, embeddings={"P1/A01": np.ones(8, np.float32)})
    write_features(tmp_path / "imported", model.card, [plate])

    def schemas(name):
        files = (tmp_path / name).rglob("*.parquet")
        found = {f.relative_to(tmp_path / name).as_posix(): pq.read_schema(f) for f in files}
        return {path: schema.remove_metadata() for path, schema in found.items() if "previews" not in path}

    encoded, imported = schemas("encoded"), schemas("imported")
    card = model.card
    assert {"plates/P1.parquet", f"wells/{card.card_hash}/P1.parquet", "failures.parquet"} < set(encoded)
    shard = f"fields/{card.encoder_hash}/P1/shard-00000.parquet"
    assert shard in encoded
    assert encoded.keys() - imported.keys() <= {"platemap.parquet", "quality/P1/shard-00000.parquet"}
    for path in imported:
        assert imported[path].names == encoded[path].names, path
        assert imported[path].equals(encoded[path]), path
