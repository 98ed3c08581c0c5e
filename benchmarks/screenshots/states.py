"""The states of the window that are looked at: a newcomer's, those of the sample plate, and larger plates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari

from benchmarks.screenshots.dialogs import take_dialogs
from benchmarks.screenshots.made_screens import LARGE, SEVERAL
from benchmarks.screenshots.real_states import take_profiles, take_real_plates
from benchmarks.screenshots.window import Pictures
from napari_cellclip.cli.demo import demo_screen
from napari_cellclip.gui.demo import open_window
from napari_cellclip.gui.explorer import TABS, show_explorer
from napari_cellclip.gui.state.requests import (
    AskRequest,
    DescribeRequest,
    ExplainRequest,
    HeatMapRequest,
    MapPictureRequest,
    MechanismsRequest,
    NameClustersRequest,
    OpenRequest,
    VersusRequest,
)
from napari_cellclip.vocabulary.user_folders import cache_folder

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate

SETUP_STEPS = ("plate", "stains", "plate-map", "encode")
LASSO = [(0.3, 0.25), (0.75, 0.2), (0.9, 0.5), (0.8, 0.85), (0.45, 0.8), (0.3, 0.5)]


def take_first_run(look: str, size: tuple[int, int], out: Path, wanted: Collection[str] | None) -> None:
    """Take every tab as it is before anything was opened."""
    viewer = napari.Viewer(title="napari-cellclip")
    show_explorer(viewer)
    viewer.window.resize(*size)
    pictures = Pictures(viewer, look, out, wanted)
    for title in TABS:
        pictures.tab(title)
        pictures.take(f"first-{title.lower()}", ("dark",) if title != "Set-up" else ("dark", "light"))
    viewer.close()


def take_parts(
    look: str, size: tuple[int, int], out: Path, wanted: Collection[str] | None, parts: Sequence[str]
) -> None:
    """Take the chosen parts in one window."""
    plate, screen = demo_screen()
    viewer = open_window(plate, screen, size=size)
    pictures = Pictures(viewer, look, out, wanted)
    session = pictures.session
    pictures.ready(lambda: session.answer is not None and "umap" in session.maps.by_method)
    takers: dict[str, Callable[[], None]] = {
        "sample": lambda: take_sample(pictures),
        "dialogs": lambda: take_dialogs(pictures),
        "plates": lambda: take_larger_plates(pictures),
        "real": lambda: take_real_plates(pictures),
        "profiles": lambda: take_profiles(pictures),
    }
    for part in takers:  # in the order of the dictionary: later ones open other plates
        if part in parts:
            takers[part]()
    viewer.close()


def take_sample(pictures: Pictures) -> None:
    """Take every tab of the sample plate, then the states of plate, map and canvas."""
    session, plate = pictures.session, pictures.session.plate
    assert plate is not None
    pictures.take("hits")
    best = tuple(session.highlighted_wells)
    _take_explained(pictures, best)
    session.request(DescribeRequest(best))
    pictures.tab("Describe")
    pictures.ready()
    pictures.take("describe")
    session.request(MechanismsRequest())
    for title in ("References", "QC"):
        pictures.tab(title)
        pictures.ready()
        pictures.take(title.lower())
    pictures.tab("Set-up")
    for number, title in enumerate(SETUP_STEPS):
        pictures.explorer.setup.go_to(number)
        pictures.take(f"set-up-{title}")
    pictures.tab("Hits")
    session.look(colour_by="mechanism", thumbnails=True)
    session.request(NameClustersRequest())
    pictures.ready()
    pictures.take("thumbnails")
    session.look(thumbnails=False)
    _take_listings(pictures)
    _take_map(pictures)
    session.look(colour_by="score", thumbnails=False)
    _take_canvas(pictures, plate, best[0])


def _take_explained(pictures: Pictures, best: tuple[str, ...]) -> None:
    session = pictures.session
    session.selection.replace(best)
    session.request(ExplainRequest(best))
    pictures.tab("Why")
    pictures.ready(lambda: session.explanations.contributions is not None)
    if session.shown is not None:
        session.request(HeatMapRequest(session.shown))
    pictures.ready()
    pictures.take("why")
    session.request(AskRequest.by_example(best[:2]))
    pictures.ready()
    pictures.take("why-of-an-example")
    session.request(AskRequest("tubulin polymerisation inhibitor"))
    pictures.ready()


def _take_listings(pictures: Pictures) -> None:
    """Take hits unfolded, filtered and as a gallery, by look-alikes: references stand beside them."""
    session, hits = pictures.session, pictures.explorer.hits
    pictures.explorer.query.evidence.kinds["look-alikes"].trigger()
    pictures.ready()
    hits.table.expand(hits.model.index(0, 0))
    pictures.take("hits-unfolded")
    session.look(filter="mechanism: inhibitor")
    hits.buttons["gallery"].click()
    pictures.ready()
    pictures.take("gallery")
    hits.buttons["treatments"].click()
    session.look(filter="")
    pictures.explorer.query.evidence.kinds["auto"].trigger()
    pictures.ready()


def _take_map(pictures: Pictures) -> None:
    session, view = pictures.session, pictures.explorer.map.view
    before = session.selection.ids
    pictures.drag(view.viewport(), LASSO, release=False)
    pictures.take("lasso", ("dark",))
    pictures.drag(view.viewport(), LASSO[:1])
    session.selection.replace(before)
    projection = session.map
    assert projection is not None
    at = projection.xy[[list(map(str, projection.ids)).index(well) for well in sorted(before)]]
    (left, bottom), (right, top) = at.min(axis=0).tolist(), at.max(axis=0).tolist()
    session.look(map_thumbnails=True)
    view.box.setRange(xRange=(left, right), yRange=(bottom, top), padding=0.3)
    pictures.take("map-zoomed", ("dark",))
    view.fit()
    session.selection.replace(())
    session.request(MapPictureRequest())
    pictures.ready()
    pictures.take("map-on-canvas")


def _take_canvas(pictures: Pictures, plate: Plate, well: str) -> None:
    session, canvas = pictures.session, pictures.session.canvas
    session.request(VersusRequest((well,)))
    pictures.ready()
    pictures.take("versus")
    canvas.look(arranged="mosaic", beside=(), count=2)
    pictures.ready()
    pictures.take("mosaic", ("dark",))
    canvas.look(arranged="field")
    pictures.ready()
    canvas.solo(plate.sites[0].stains[0])
    pictures.take("one-stain", ("dark",))
    canvas.solo(None)


def take_larger_plates(pictures: Pictures) -> None:
    """Take a plate of 384 wells, and a screen of three plates."""
    session, folder = pictures.session, cache_folder() / "screenshots"
    for name in (LARGE, SEVERAL):
        session.set_plate(None)
        session.request(OpenRequest(folder / f"{name}.screen"))
        pictures.ready(lambda: session.screen is not None and "umap" in session.maps.by_method)
        session.request(AskRequest("HDAC inhibitor"))
        pictures.ready(lambda: session.answer is not None)
        _show_best(session)
        pictures.ready()
        pictures.tab("Hits")
        pictures.take(name)
        if name == LARGE:
            session.look(thumbnails=True, colour_by="mechanism")
            pictures.take(f"{name}-thumbnails")
            session.request(MapPictureRequest("plate"))
            pictures.ready()
            pictures.take(f"{name}-on-canvas")
        else:
            session.look(side_by_side=True)
            pictures.take(f"{name}-side-by-side")
        session.look(thumbnails=False, side_by_side=False, colour_by="score")


def _show_best(session: Any) -> None:
    best = str(session.answer.scores["score"].idxmax())
    session.selection.replace([best])
    session.show(best)
