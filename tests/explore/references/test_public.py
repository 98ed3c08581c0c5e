"""Public reference sets: fetched from a server on this machine, checked, built and used by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.explore.references.files import read_references
from napari_cellclip.explore.references.public.downloads import fetch
from napari_cellclip.explore.references.public.installed_sets import (
    build_public,
    install_file,
    install_public,
    installed_references,
    named_references,
)
from napari_cellclip.explore.references.public.public_sets import (
    CPJUMP1,
    DAHLIN2023,
    PUBLIC_SETS,
    PublicFile,
    PublicSet,
)
from napari_cellclip.vocabulary import CellClipError
from tests.profile_tables import made_table
from tests.public_server import Server, published, published_set, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def public(server: Server, tmp_path: Path) -> PublicSet:
    return published_set(server, tmp_path)


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    file = published(server, "a.bin", b"0123456789" * 1000)
    seen: list[tuple[int, int]] = []
    path = fetch(file, tmp_path / "into", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == server.content["/a.bin"]
    assert seen[-1] == (10_000, 10_000)
    fetch(file, tmp_path / "into")
    assert len(server.asked) == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    file = published(server, "a.bin", b"0123456789" * 1000)
    server.stop_after, server.ranges = 4_000, ranges
    with pytest.raises(CellClipError, match="goes on from where it stopped"):
        fetch(file, tmp_path)
    assert fetch(file, tmp_path).read_bytes() == server.content["/a.bin"]
    assert server.asked[-1] == ("/a.bin", "bytes=4000-")


def test_another_file_than_was_published_is_deleted(server: Server, tmp_path: Path) -> None:
    file = published(server, "a.bin", b"what was published")
    for content in (b"what was PUBLISHED", b"longer than what was published"):
        server.content["/a.bin"] = content
        with pytest.raises(CellClipError, match="is not the file that was published"):
            fetch(file, tmp_path)
        assert not list(tmp_path.glob("a.bin*"))


def test_no_server_and_no_file_are_said(server: Server, tmp_path: Path) -> None:
    file = published(server, "a.bin", b"x")
    del server.content["/a.bin"]
    with pytest.raises(CellClipError, match=r"answers 404.*--from"):
        fetch(file, tmp_path)
    with pytest.raises(CellClipError, match="could not be fetched"):
        fetch(replace(file, address="http://127.0.0.1:9/x"), tmp_path)


def test_a_public_set_is_installed_and_used_by_name(public: PublicSet) -> None:
    file = install_public(public)
    assert installed_references() == ["made"]
    found = named_references("made")
    assert {s.licence for s in found.sources} == {"CC0"}
    assert [(s.name, s.hours, s.cell_line) for s in found.sources] == [("made 48 h", 48.0, "U2OS")]
    assert set(found.treatments["mechanism"]) == {
        "tubulin inhibitor",
        "HDAC inhibitor",
        "HDAC inhibitor|epigenetic agent",
    }
    copy = install_file(file, name="mine")
    assert read_references(copy).features == found.features
    assert installed_references() == ["made", "mine"]
    with pytest.raises(CellClipError, match="cannot be the name"):
        install_file(file, name="../out")


def test_tables_that_a_user_has_are_checked(public: PublicSet, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(CellClipError, match=r"does not hold P1\.csv"):
        install_public(public, given=folder)
    for file in public.files:
        (folder / file.name).write_bytes(server.content[f"/{file.name}"])
    install_public(public, given=folder)
    assert server.asked == []
    (folder / "P1.csv").write_bytes(b"other")
    with pytest.raises(CellClipError, match="checksum differs"):
        install_public(public, given=folder)


def test_columns_of_other_names_doses_and_times(tmp_path: Path) -> None:
    """A table like Dahlin's: own names, solvent wells as negative, classes that are no mechanism."""
    table = made_table(controls=12, replicates=3).drop(columns=["Metadata_target_sequence"])
    own = {ours: theirs for theirs, ours in DAHLIN2023.columns.items()}
    table = table.rename(
        columns={"Metadata_Plate": own["Metadata_Plate"], "Metadata_Well": own["Metadata_Well"]}
        | {"Metadata_pert_iname": own["Metadata_treatment"], "Metadata_smiles": own["Metadata_smiles"]}
    )
    control = table.pop("Metadata_control_type").notna()
    table["Control Type"] = np.where(control, "Negative", None)
    table["injury_type"] = np.where(control, "Control", "Cytoskeletal")
    table.loc[table[own["Metadata_treatment"]] == "scriptaid", "injury_type"] = "Miscellaneous"
    table["Compound Concentration (microMolar)"] = np.where(control, np.nan, 2.5)
    table[DAHLIN2023.hours_column] = 24
    later = table.assign(**{DAHLIN2023.hours_column: 48, "Plate": "P2"})
    file = tmp_path / "d.csv"
    pd.concat([table, later]).to_csv(file, index=False)
    which = replace(DAHLIN2023, tables={0.0: (PublicFile("d.csv", "", "", 0),)})
    found = build_public(which, {"d.csv": file})
    assert [s.hours for s in found.sources] == [24.0, 48.0]
    assert set(found.treatments["mechanism"]) == {"Cytoskeletal"}
    assert set(found.treatments["dose"]) == {2.5}
    assert "scriptaid" not in set(found.treatments["name"])
    assert len(found.controls) == 24


def test_what_is_not_installed_says_how(tmp_path: Path) -> None:
    with pytest.raises(CellClipError, match="references install cpjump1"):
        named_references("cpjump1")
    with pytest.raises(CellClipError, match=r"there is no reference file .*nowhere"):
        named_references("nowhere")


def test_every_public_file_is_pinned() -> None:
    for public in PUBLIC_SETS.values():
        assert public.licence
        assert public.attribution
        for file in public.files:
            assert len(file.sha256) == 64
            assert len(file.address.rsplit("/", 1)[1]) == 40
            assert file.size > 0


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("public", "folder", "treatments"),
    [(CPJUMP1, "prof_cpjump1_cellprofiler", 302), (DAHLIN2023, "prof_dahlin2023", 97)],
    ids=["cpjump1", "dahlin2023"],
)
def test_the_real_tables_are_those_that_are_pinned(
    public: PublicSet, folder: str, treatments: int, real_data: Path
) -> None:
    found = read_references(install_public(public, given=real_data / folder))
    assert found.treatments["name"].nunique() >= treatments
    assert {s.hours for s in found.sources} == {24.0, 48.0}
    assert {s.licence for s in found.sources} == {public.licence}
