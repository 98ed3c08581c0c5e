"""Real viewers: widgets from the manifest, layers, keys, readers. Few, because each takes a second."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_cellclip.gui.explorer import Arrangement, Explorer, arrange
from napari_cellclip.gui.readers import get_plate_reader
from napari_cellclip.gui.sample import simulated_plate
from napari_cellclip.gui.settings import Settings, read_settings, write_settings
from napari_cellclip.gui.state.colouring import chosen_colouring
from napari_cellclip.gui.state.requests import MapPictureRequest, OpenRequest, OpenSampleRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.text_query import TextQuery
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.vocabulary import STAINS
from tests.gui.toy_screens import FakeScreen, answer_for, level_of, projection_for


@pytest.fixture
def quick_maps(monkeypatch):
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))


def idle(qtbot, session):
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=30_000)


def five(qtbot, viewer):
    """Wait for the stains that are hidden at first: they follow the picture."""
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=30_000)


def level(layer):
    return int(np.median(layer.data))


def test_explorer_and_text_query_show_wells_on_the_canvas(
    make_napari_viewer_proxy, plate, platemap, qtbot, quick_maps
):
    viewer = make_napari_viewer_proxy()
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    text_query = TextQuery(viewer)
    viewer.window.add_dock_widget(text_query, name="Text query")
    session = controller_of(viewer).session
    assert explorer.session is text_query.session is session

    session.set_plate(plate, platemap)
    screen = FakeScreen.of(plate)
    session.set_screen(screen)
    qtbot.waitUntil(lambda: "umap" in session.maps.by_method)
    session.answer = answer_for(screen, {"toy/C06": 9.0})
    assert text_query.hits.value().index[0] == explorer.hits.value().index[0] == "toy/C06"

    # a double-clicked well: five additive layers named by stain, one contrast for the whole plate
    session.show("toy/C06")
    idle(qtbot, session)
    five(qtbot, viewer)
    assert [layer.name for layer in viewer.layers] == [s.value for s in STAINS]
    assert {layer.blending for layer in viewer.layers} == {"additive"}
    for channel, layer in enumerate(viewer.layers):
        assert abs(level(layer) - level_of(2, 5, 1, channel)) < 9
        low, high = screen.contrast("toy")[STAINS[channel]]
        assert tuple(layer.contrast_limits) == pytest.approx((low + 0.03 * (high - low), high))
    assert [layer.name for layer in viewer.layers if layer.visible] == ["DNA", "ER", "AGP"]
    text = viewer.canvas.overlays.text
    assert text.visible
    assert "C06 · site 1" in text.text
    assert "nocodazole" in text.text

    # what the user changed by hand stays when she goes on to the next well
    viewer.layers["DNA"].contrast_limits = (300, 900)
    viewer.layers["ER"].visible = False
    canvas = controller_of(viewer).canvas
    session.step_site(1)
    idle(qtbot, session)
    assert abs(level(viewer.layers["DNA"]) - level_of(2, 5, 2, 0)) < 9
    session.step_well(1)
    idle(qtbot, session)
    assert abs(level(viewer.layers["DNA"]) - level_of(2, 6, 1, 0)) < 9
    assert tuple(viewer.layers["DNA"].contrast_limits) == (300, 900)
    assert not viewer.layers["ER"].visible
    assert len(viewer.layers) == 5

    # arrow keys
    press(viewer, "Right")
    idle(qtbot, session)
    assert session.shown_well == "toy/D04"

    # scrubbing: only the last well is drawn
    for well in ("toy/C04", "toy/C05", "toy/E07"):
        session.show(well)
    idle(qtbot, session)
    assert abs(level(viewer.layers["DNA"]) - level_of(4, 6, 1, 0)) < 9

    # the map on the canvas: thumbnails, and points whose selection is the session's
    session.request(MapPictureRequest())
    idle(qtbot, session)
    points = viewer.layers["wells"]
    assert not viewer.layers["DNA"].visible
    assert list(points.features["id"]) == list(session.maps.get("umap").ids)
    place = list(points.features["id"]).index("toy/D06")
    assert points.features["treatment"][place] == session.wells.loc["toy/D06", "treatment"]
    session.selection.replace(["toy/D06"])
    assert set(points.selected_data) == {place}
    points.selected_data = {0, 1}
    assert session.selection.ids == set(points.features["id"][:2])
    session.edits.undo()
    assert set(points.selected_data) == {place}
    row, column = points.data[place].astype(int)
    shade = screen.preview("toy/D06")[0, 0, 0]
    assert abs(int(viewer.layers["map"].data[-1][row, column, 0]) - int(shade)) <= 1
    session.answer = answer_for(screen, {"toy/D06": 12.0})
    assert points.features["score"][place] == 12.0
    assert chosen_colouring(session).key == "score"
    assert_views_agree(viewer, explorer)
    session.look(colour_by="replicates")
    assert_views_agree(viewer, explorer)
    session.look(colour_by="score")
    theme = viewer.theme
    viewer.theme = "light" if theme == "dark" else "dark"
    assert_views_agree(viewer, explorer)
    viewer.theme = theme

    # and back
    session.show("toy/C04")
    idle(qtbot, session)
    assert viewer.layers["DNA"].visible
    assert not viewer.layers["map"].visible
    assert canvas.layer(STAINS[0]).name == "DNA"


def assert_views_agree(viewer, explorer):
    """Map, plate and canvas give a well one colour, by whatever column and on whatever theme."""
    drawn, view = [], explorer.map.view
    set_colours, view.set_colours = view.set_colours, lambda rgb, *_: drawn.append(rgb)
    explorer.map.recolour()
    view.set_colours = set_colours
    on_map = {i: tuple(int(v) for v in rgb) for i, rgb in zip(view.ids, drawn[0], strict=True)}
    explorer.plate.refresh()
    on_plate = {mark.id: mark.rgb for mark in explorer.plate.view.marks if mark.rgb is not None}
    points = viewer.layers["wells"]
    border = (np.asarray(points.border_color)[:, :3] * 255).round().astype(int)
    on_canvas = {i: tuple(int(v) for v in rgb) for i, rgb in zip(points.features["id"], border, strict=True)}
    both = sorted(on_plate.keys() & on_map.keys() & on_canvas.keys())
    assert both
    assert {i: on_canvas[i] for i in both} == {i: on_plate[i] for i in both} == {i: on_map[i] for i in both}


def press(viewer, key):
    """Run what the viewer has bound to a key."""
    for pattern, action in viewer.keymap.items():
        if str(pattern) == key:
            action(viewer)
            return
    raise AssertionError(f"{key} is not bound: {list(viewer.keymap)}")


def test_reader_draws_a_site_and_hands_the_plate_over(make_napari_viewer_proxy, tmp_path, qtbot, plate):
    """A Phenix folder, because that is what the reader knows by a look at it."""
    import tifffile

    folder = tmp_path / "phenix"
    folder.mkdir()
    viewer = make_napari_viewer_proxy()
    for channel in range(1, 6):
        tifffile.imwrite(
            folder / f"r02c03f01p01-ch{channel}sk1fk1fl1.tiff", np.full((16, 16), 100 * channel, np.uint16)
        )
    read = get_plate_reader(str(folder))
    assert read(str(folder)) == [(None,)], "no index: the stains are not known, so nothing is drawn"
    session = controller_of(viewer).session
    assert session.plate.stains.unmapped

    session.request(OpenRequest(folder, {s: f"ch{i}" for i, s in enumerate(STAINS, 1)}))
    assert controller_of(viewer) is controller_of(viewer)
    idle(qtbot, session)
    session.show(session.plate.wells[0].id)
    idle(qtbot, session)
    five(qtbot, viewer)
    assert [level(layer) for layer in viewer.layers] == [100, 200, 300, 400, 500]


def test_reader_is_quick_and_never_raises(tmp_path, plate_folder):
    assert get_plate_reader([str(plate_folder), str(plate_folder)]) is None
    assert get_plate_reader(str(tmp_path / "not there")) is None
    assert get_plate_reader(str(tmp_path)) is None
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / ".zattrs").write_text("{ broken")
    assert get_plate_reader(str(tmp_path / "x.zarr")) is None
    (tmp_path / "x.zarr" / ".zattrs").write_text('{"plate": {}}')
    assert get_plate_reader(str(tmp_path / "x.zarr")) is not None
    table = tmp_path / "load_data.csv"
    table.write_text("")
    assert get_plate_reader(str(table)) is not None


def test_drop_a_folder_on_the_explorer(make_napari_viewer_proxy, plate_folder, qtbot):
    viewer = make_napari_viewer_proxy()
    explorer, opened = Explorer(viewer), []
    qtbot.addWidget(explorer)
    data = QMimeData()
    explorer.session.requested.connect(
        lambda request: opened.append(request.path.name) if isinstance(request, OpenRequest) else None
    )
    both = plate_folder / "platemap.csv", plate_folder
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in both])
    action, buttons, none = (
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    entering = QDragEnterEvent(QPoint(5, 5), action, data, buttons, none)
    explorer.dragEnterEvent(entering)
    assert entering.isAccepted()
    explorer.dropEvent(QDropEvent(QPoint(5, 5).toPointF(), action, data, buttons, none))
    idle(qtbot, explorer.session)
    assert opened == [plate_folder.name, "platemap.csv"]
    assert len(explorer.session.plate.wells) == 11

    # panels move between tabs and the open with the space there is, and undo is a key away
    explorer.resize(420, 380)
    explorer.show()
    assert explorer.tabs.count() == 8
    assert [explorer.tabs.tabText(i) for i in (0, 1, 2)] == ["Plate", "Map", "Hits"]
    explorer.resize(900, 1000)
    assert [explorer.tabs.tabText(i) for i in range(explorer.tabs.count())] == [
        "Hits",
        "Why",
        "Describe",
        "References",
        "QC",
        "Set-up",
    ]
    assert explorer.plate.isVisible()
    assert explorer.map.isVisible()
    explorer.session.selection.replace(["toy/C04"])
    explorer.activateWindow()
    qtbot.waitUntil(explorer.isActiveWindow)
    explorer.plate.view.setFocus()
    qtbot.keyClick(explorer.plate.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not explorer.session.selection.ids


@pytest.mark.parametrize(
    ("width", "height", "scale", "expected"),
    [
        (400, 400, 1, (False, False)),
        (460, 620, 1, (True, False)),
        (520, 500, 1, (True, True)),
        (660, 800, 1, (True, True)),
        (660, 800, 2, (False, False)),
        (1320, 1600, 2, (True, True)),
    ],
)
def test_arrangement_follows_space_and_scaling(width, height, scale, expected):
    assert arrange(width, height, 17 * scale, 6 * scale) == Arrangement(*expected)


def test_manifest_names_what_exists(repository):
    from importlib import import_module

    manifest = PluginManifest.from_file(repository / "napari_cellclip" / "napari.yaml")
    assert manifest.display_name == "CellCLIP"
    assert {w.display_name for w in manifest.contributions.widgets} == {"Explorer", "Text query"}
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))


def test_menus_are_open_to_plugins(repository):
    menus = PluginManifest.from_file(repository / "napari_cellclip" / "napari.yaml").contributions.menus
    file = {"napari/file/new_layer", "napari/file/io_utilities", "napari/file/acquire"}
    layers = {
        "visualize",
        "annotate",
        "data",
        "metadata",
        "measure",
        "filter",
        "segment",
        "classify",
        "transform",
    }
    assert set(menus) <= file | {f"napari/layers/{name}" for name in layers}
    commands = {c.id for c in PluginManager.instance().get_manifest("napari-cellclip").contributions.commands}
    assert {item.command for items in menus.values() for item in items} <= commands


def test_settings_round_trip(plugin_settings, npe2pm, repository):
    npe2pm.register(PluginManifest.from_file(repository / "napari_cellclip" / "napari.yaml"))
    assert read_settings() == Settings()
    assert write_settings(Settings("cpu", 7, "/somewhere"))
    assert read_settings() == Settings("cpu", 7, "/somewhere")


def test_sample_opens_with_its_screen(session, monkeypatch, tmp_path, plate_folder, qtbot):
    """The sample is made in a thread that tells how far it is; the demo's screen of it is found again."""
    from napari_cellclip.gui.work.controller import Controller

    def sample_plate(cache, progress):
        for done in (1, 2):
            progress(SimpleNamespace(done=done, total=2, message="well"))
        return plate_folder

    monkeypatch.setattr("napari_cellclip.simulation.sample_plate", sample_plate)
    controller, told = Controller(session), []
    session.work_changed.connect(lambda task, work: told.append((task, work and work.done)))
    session.request(OpenSampleRequest())
    idle(qtbot, session)
    assert len(session.plate.wells) == 11
    assert ("sample", 1) in told
    assert ("sample", 2) in told
    assert session.screen is None
    controller.close()


def test_sample_of_the_file_menu(make_napari_viewer_proxy, monkeypatch, plate_folder, qtbot):
    """napari refuses samples without a layer, so one stands for the plate until it is here."""
    viewer = make_napari_viewer_proxy()
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    monkeypatch.setattr("napari_cellclip.gui.explorer.show_explorer", lambda _viewer: None)
    monkeypatch.setattr("napari_cellclip.simulation.sample_plate", lambda cache, progress: plate_folder)
    ((data, arguments, kind),) = simulated_plate()
    assert kind == "points"
    viewer.add_points(data, **arguments)
    idle(qtbot, controller_of(viewer).session)
    assert controller_of(viewer).session.plate is not None
    assert "opening the sample plate" not in [layer.name for layer in viewer.layers]
