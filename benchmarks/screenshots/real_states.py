"""Real plates and profiles in the window, where there are any: unmapped, mapped, encoded and asked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.screenshots.window import Pictures
from napari_cellclip.gui.state.requests import (
    AskRequest,
    EncodeRequest,
    MechanismsRequest,
    OpenRequest,
    VersusRequest,
)
from napari_cellclip.vocabulary import Stain
from napari_cellclip.vocabulary.user_folders import cache_folder

REAL = (
    "img_cpjump1_BR00117006",
    "img_bray2017_plate24279",
    "img_jump_rab30",
    "img_pe2loaddata_phenix/Version1",
    "img_cpjump1_treated",
)
"""Folders of real plates; the last one is gone on with."""

CPJUMP1 = {Stain.MITO: "ch1", Stain.AGP: "ch2", Stain.RNA: "ch3", Stain.ER: "ch4", Stain.DNA: "ch5"}
TREATED = """well,compound,mechanism,dose,control
N09,AMG-900,Aurora kinase inhibitor,,
D14,DMSO,,,negcon
D08,FK-866,NAMPT inhibitor,,
G21,TC-S-7004,DYRK inhibitor,,
"""
PROFILES = "prof_cpjump1_cellprofiler"
QUESTION = "Aurora kinase inhibitor"


def shared_folder(name: str) -> Path | None:
    """Find a folder of real data; ``None``, and a line saying so, where it is not."""
    folder = Path(os.environ.get("NAPARI_CELLCLIP_SHARED", ".")) / "data" / name
    if "NAPARI_CELLCLIP_SHARED" in os.environ and folder.is_dir():
        return folder
    print(f"{name} is not here: its picture is left out", flush=True)
    return None


def take_real_plates(pictures: Pictures) -> None:
    """Take each real plate as it opens; give the last one its stains, encode it and ask."""
    session = pictures.session
    for name in REAL:
        folder = shared_folder(name)
        if folder is None:
            continue
        session.set_plate(None)
        session.request(OpenRequest(folder))
        pictures.ready(lambda: session.plate is not None)
        pictures.take(name.replace("/", "-"))
    if folder is None:
        return
    session.request(OpenRequest(folder, CPJUMP1))
    pictures.ready(lambda: session.plate is not None and bool(session.plate.stains.channels))
    session.show(f"{session.plate.name}/N09/5")  # type: ignore[union-attr]
    pictures.ready()
    pictures.take(f"{folder.name}-mapped")
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "treated.csv"
        table.write_text(TREATED, encoding="utf-8")
        session.request(OpenRequest(table))
        pictures.ready(lambda: session.platemap is not None)
        session.request(EncodeRequest("demo", Path(scratch) / "treated.screen"))
        pictures.ready(lambda: session.screen is not None and not session.growing)
        session.request(AskRequest(QUESTION))
        pictures.ready(lambda: session.answer is not None)
        pictures.tab("Hits")
        session.look(thumbnails=True)
        session.request(VersusRequest((f"{folder.name}/N09",)))
        pictures.ready()
        pictures.take(f"{folder.name}-versus")
        session.look(thumbnails=False)
        session.canvas.look(arranged="field", beside=(), count=2)
        pictures.ready()


def take_profiles(pictures: Pictures) -> None:
    """Take the measured profiles of CPJUMP1: what the assay can see, and the hits of a question."""
    from napari_cellclip.screen import import_profiles

    session, tables = pictures.session, shared_folder(PROFILES)
    if tables is None:
        return
    out = cache_folder() / "screenshots" / "cpjump1.screen"
    if not (out / "screen.json").exists():
        annotations = tables / "JUMP-Target-1_compound_metadata_additional_annotations.tsv"
        import_profiles(
            sorted(tables.glob("BR0011701[0-3]_*.csv.gz")), out, annotations=annotations, cell_line="U2OS"
        )
    session.set_plate(None)
    session.request(OpenRequest(out))
    pictures.ready(lambda: session.screen is not None and "umap" in session.maps.by_method)
    session.request(MechanismsRequest())
    pictures.tab("References")
    pictures.ready(lambda: session.references.mechanisms is not None)
    pictures.take("profiles-references")
    session.request(AskRequest(QUESTION))
    pictures.ready(lambda: session.answer is not None)
    pictures.tab("Hits")
    session.look(colour_by="mechanism")
    pictures.take("profiles-hits")
    pictures.tab("References")
    pictures.explorer.references.views.setCurrentIndex(1)
    pictures.take("profiles-question")
    session.look(colour_by="score")
