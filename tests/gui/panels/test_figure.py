"""The figure of a session: the same page as picture, PDF and drawing."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QFileDialog

from napari_cellclip.explore.maps.cluster_names import NamedCluster
from napari_cellclip.gui.palette import WellColours, well_colours
from napari_cellclip.gui.panels.figure.figure_files import DOTS_PER_INCH, write_figure
from napari_cellclip.gui.panels.figure.first_hits import FIRST_HITS, first_hits, table_columns
from napari_cellclip.gui.panels.figure.map_drawing import DIAMOND, MapPoints, paint_map
from napari_cellclip.gui.panels.figure.page import (
    PAGE,
    PER_INCH,
    Painted,
    paint_page,
    paper,
)
from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.hits.hits_panel import HitsPanel
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.requests import CancelRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.vocabulary import Kind, Perturbation, ScreenError
from tests.gui.toy_screens import FakeScreen, answer_for

HIT, OTHER = "toy/D04", "toy/E05"
SCALE = DOTS_PER_INCH / PER_INCH


def sheet(size: QSize) -> QImage:
    image = QImage(size, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFFFF)
    return image


def places(session) -> Painted:
    """Where the wells of a session are on its page."""
    image = sheet(PAGE.toSize())
    painter = QPainter(image)
    painted = paint_page(painter, session)
    painter.end()
    return painted


def pixel(image: QImage, at: tuple[float, float], scale: float) -> tuple[int, ...]:
    return QColor(image.pixel(*(int(part * scale) for part in at))).getRgb()[:3]


def colour_of(session, well: str) -> tuple[int, ...]:
    return tuple(well_colours(session, pd.Index([well]), (255, 255, 255)).rgb[0].tolist())


def pdf_of(path):
    pdf = pytest.importorskip("qtpy.QtPdf", exc_type=ImportError)
    document = pdf.QPdfDocument(None)
    assert document.load(str(path)) == pdf.QPdfDocument.Error.None_
    return document


def text_of(session, path) -> str:
    write_figure(path, session)
    return pdf_of(path).getAllText(0).text()


def test_a_picture_has_300_dots_an_inch_and_the_colours_of_the_wells(full_session, qapp, tmp_path):
    path, at = tmp_path / "figure.png", places(full_session)
    write_figure(path, full_session)
    image = QImage(str(path))
    assert (image.width(), image.height()) == (3508, 2479)
    assert image.dotsPerMeterX() == round(DOTS_PER_INCH / 0.0254)
    assert pixel(image, (3, 3), SCALE) == (255, 255, 255)
    for well in (HIT, OTHER):
        wanted = colour_of(full_session, well)
        assert pixel(image, at.on_plate[well], SCALE) == wanted
        shown_on_map = pixel(image, at.on_map[well], SCALE)
        np.testing.assert_allclose(shown_on_map, wanted, atol=1)
    red, green, blue = colour_of(full_session, HIT)
    assert len({red, green, blue}) == 3, "a hit is in colour"
    assert len(set(colour_of(full_session, OTHER))) == 1, "the others are grey"


def test_a_pdf_is_one_page_of_text_and_the_same_picture(full_session, qapp, tmp_path):
    path = tmp_path / "figure.pdf"
    text = text_of(full_session, path)
    assert path.read_bytes().startswith(b"%PDF")
    document = pdf_of(path)
    assert document.pageCount() == 1
    assert (document.pagePointSize(0).width(), document.pagePointSize(0).height()) == (842, 595)
    for said in ("tubulin inhibitor", full_session.answer.verdict, "UMAP of 11 wells", "Plate toy"):
        assert said in " ".join(text.split())
    for treatment in ("nocodazole 1 µM", "compound-4 3 µM"):
        assert treatment in text
    assert "Screen toy · model demo · evidence: words · FDR 5 % · napari-cellclip" in text
    assert "Simulated. This shows the program, not biology: the model is a simulation." in text
    drawn = document.render(0, PAGE.toSize())
    at = places(full_session).on_plate[HIT]
    np.testing.assert_allclose(pixel(drawn, at, 1), colour_of(full_session, HIT), atol=2)


def test_a_long_question_is_on_the_page_to_its_last_word(full_session, qapp, tmp_path):
    question = " or ".join(f"inhibitor of kinesin {n}" for n in range(9))
    full_session.show_answer(answer_for(full_session.screen, {HIT: 5.0}, question))
    assert question in " ".join(text_of(full_session, tmp_path / "long.pdf").split())


def test_an_svg_is_the_same_picture(full_session, qapp, tmp_path):
    path = tmp_path / "figure.svg"
    write_figure(path, full_session)
    renderer = QSvgRenderer(str(path))
    assert renderer.isValid()
    image = sheet(PAGE.toSize())
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    at = places(full_session).on_plate[HIT]
    np.testing.assert_allclose(pixel(image, at, 1), colour_of(full_session, HIT), atol=2)


def test_the_first_hits_are_those_of_the_hits_tab_in_its_order(full_session, qtbot):
    full_session.show_answer(
        answer_for(
            full_session.screen, {f"toy/{w}": n for n, w in enumerate(("E04", "D06", "C07"), 4)}, match=True
        )
    )
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    listed = panel.model.groups.table.iloc[panel.model.order]
    lines = first_hits(full_session)
    assert list(lines["treatment"]) == list(listed["treatment"])[:FIRST_HITS]
    assert lines.attrs["of"] == len(listed)
    assert [c.title for c in table_columns(lines)] == ["Treatment", "Well", "n", "Score", "q", "Mechanism"]
    full_session.look(filter="treatment: compound-9")
    assert list(first_hits(full_session)["treatment"]) == ["compound-9 3 µM"]


def test_plates_side_by_side_are_named_and_those_left_out_are_counted(session, qapp, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellclip.gui.panels.drawing.drawn_plates.MOST_SIDE_BY_SIDE", 2)
    ids = [f"{plate}/A{column:02d}" for plate in ("one", "two", "three") for column in (1, 2)]
    plates, wells = zip(*(identifier.split("/") for identifier in ids), strict=True)
    known = {"Metadata_Plate": plates, "Metadata_Well": wells, "Metadata_treatment": "x", "Metadata_sites": 1}
    table = pd.DataFrame(known, index=pd.Index(ids, name="well_id"))
    session.set_screen(FakeScreen(table, dict.fromkeys(ids, Perturbation(Kind.COMPOUND, "x", dose=1.0))))
    session.look(side_by_side=True)
    text = text_of(session, tmp_path / "plates.pdf")
    drawn = sorted({"one", "two", "three"} & set(text.split("2 of 3 plates")[1].split()))
    assert drawn == sorted(session.wells["plate"].unique()[:2])


def test_what_is_coloured_by_categories_has_their_names_as_legend(full_session, qapp, tmp_path):
    full_session.look(colour_by="kind")
    text = text_of(full_session, tmp_path / "kinds.pdf")
    assert {"compound", "control"} <= set(text.split())
    assert "Plate toy · Kind" in text


def test_names_of_clusters_stand_on_the_map(full_session, qapp, tmp_path):
    named = NamedCluster(("toy/C04",), (0.0, 0.0), "kinesin inhibitor", 0.01)
    full_session.clusters = (named,)
    assert "kinesin" in text_of(full_session, tmp_path / "named.pdf")


def test_references_stand_on_the_map_as_diamonds_with_their_names(full_session, qapp, tmp_path, monkeypatch):
    path = tmp_path / "references.png"
    named = {"nocodazole": ("toy/C06", "elsewhere/A01")}
    monkeypatch.setattr("napari_cellclip.gui.panels.figure.page.reference_wells", lambda *_: named)
    text = text_of(full_session, tmp_path / "references.pdf")
    assert "◇ references" in text
    assert "nocodazole" in text.split("UMAP of 11 wells")[1].splitlines()
    write_figure(path, full_session)
    x, y = places(full_session).on_map["toy/C06"]
    side = DIAMOND / 2  # the middle of an edge of the diamond
    edge = pixel(QImage(str(path)), (x - side, y - side), SCALE)
    assert max(edge) < 60


def test_a_plate_without_question_and_map_is_a_figure_too(session, plate, platemap, qapp, tmp_path):
    session.set_plate(plate, platemap)
    text = text_of(session, tmp_path / "plate.pdf")
    assert "Plate toy" in text
    assert "Treatments, best first" not in text
    assert "Simulated" not in text


def test_the_map_of_many_wells_is_their_density_with_hits_in_colour(qapp):
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(30_000, 2))
    bright = np.zeros(len(xy), bool)
    bright[7] = True
    rgb = np.where(bright[:, None], (200, 20, 20), (150, 150, 150)).astype(np.uint8)
    there, nowhere = np.ones(len(xy), bool), np.zeros(len(xy), bool)
    colours = WellColours(rgb, there, bright, nowhere, None, (), "", None, nowhere)
    image = sheet(QSize(600, 500))
    painter = QPainter(image)
    at = paint_map(painter, QRectF(0, 0, 600, 500), MapPoints(xy, colours), paper())
    painter.end()
    assert pixel(image, at[7], 1) == (200, 20, 20)
    x, y = np.median(at, axis=0).astype(int).tolist()

    def inked(left: int, top: int) -> float:
        block = [image.pixelColor(left + i, top + k).red() for i in range(20) for k in range(20)]
        return float(np.mean(np.array(block) < 255))

    assert inked(x - 10, y - 10) > 0.5, "the middle is dense"
    assert inked(30, 30) < 0.05


@pytest.fixture
def told(full_session, qtbot):
    """Messages of a session whose figures a controller has painted."""
    heard: list[str] = []
    full_session.message.connect(lambda _task, text: heard.append(text))
    controller = Controller(full_session)
    yield heard
    qtbot.waitUntil(lambda: full_session.work(Task.EXPORT) is None)
    controller.close()


@pytest.fixture
def footer(full_session, qtbot):
    footer = Footer(full_session)
    qtbot.addWidget(footer)
    return footer


def test_what_cannot_be_written_is_named(full_session, footer, told, qtbot, tmp_path):
    (tmp_path / "file").touch()
    footer.save_figure(tmp_path / "file" / "figure.png")
    qtbot.waitUntil(lambda: len(told) == 1)
    assert str(tmp_path / "file") in told[-1]
    footer.save_figure(tmp_path / "figure.jpg")
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[-1] == "figure.jpg: choose a name ending in .pdf, .png or .svg."
    with pytest.raises(ScreenError, match="choose a name"):
        write_figure(tmp_path / "figure", full_session)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize("suffix", [".pdf", ".png", ".svg"])
def test_the_menu_writes_the_figure_and_says_where(footer, told, qtbot, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"figure{suffix}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    (action,) = [a for a in footer.export_button.menu().actions() if "figure" in a.text()]
    action.trigger()
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told == [f"Written: the figure to {path}"]
    whole = path.read_bytes()
    write_figure(path, footer.session)
    assert len(path.read_bytes()) == pytest.approx(len(whole), rel=0.02), (
        "as it is painted in the main thread"
    )


def test_the_window_goes_on_while_a_figure_is_painted_as_it_was(
    full_session, footer, told, qtbot, tmp_path, monkeypatch
):
    """100,000 wells held the window for two seconds."""
    painting, go_on, threads, seen = threading.Event(), threading.Event(), [], []

    def first(session):
        painting.set()
        go_on.wait(20)
        threads.append(threading.current_thread())
        seen.append((session.answer, session.view.threshold, session.map, session.clusters))
        return first_hits(session)

    monkeypatch.setattr("napari_cellclip.gui.panels.figure.page.first_hits", first)
    full_session.clusters = [NamedCluster(("toy/C06",), (0.0, 0.0), "a name", 0.01)]
    before = (
        full_session.answer,
        full_session.view.threshold,
        full_session.map,
        full_session.clusters,
    )
    footer.save_figure(tmp_path / "figure.png")
    qtbot.waitUntil(painting.is_set)
    assert full_session.work(Task.EXPORT).message == "Drawing the figure"
    full_session.look(threshold=8.5)
    full_session.answer = answer_for(full_session.screen, {}, "another question")
    go_on.set()
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert seen == [before]
    assert threads[0] is not threading.main_thread()


def test_a_cancelled_figure_leaves_no_file(full_session, footer, told, qtbot, tmp_path, monkeypatch):
    painting, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def first(session):
        painting.set()
        go_on.wait(20)
        return first_hits(session)

    def write(*arguments):
        try:
            write_figure(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr("napari_cellclip.gui.panels.figure.page.first_hits", first)
    monkeypatch.setattr("napari_cellclip.gui.work.files.figures.write_figure", write)
    footer.save_figure(tmp_path / "figure.png")
    qtbot.waitUntil(painting.is_set)
    full_session.request(CancelRequest(Task.EXPORT))
    go_on.set()
    qtbot.waitUntil(ended.is_set)
    assert list(tmp_path.iterdir()) == []
    assert told == []
