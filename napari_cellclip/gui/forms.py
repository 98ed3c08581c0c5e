"""Flat forms: simulate, encode, export, settings. Each is a function that magicgui draws."""

# Annotations stay what they are (no postponed evaluation): magicgui draws its widgets from them.

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui import magicgui
from napari.utils.notifications import show_error, show_info

from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.settings import Settings, read_settings, write_settings
from napari_cellclip.gui.state.requests import EncodeRequest, MapPictureRequest, OpenRequest
from napari_cellclip.gui.work.workers import Latest

if TYPE_CHECKING:
    from magicgui.widgets import FunctionGui
    from napari.viewer import Viewer

WELLS = (6, 12, 24, 48, 96, 384, 1536)


def _session(viewer: Any) -> Any:
    from napari_cellclip.gui.work.controller import controller_of

    return controller_of(viewer).session


def _show_failure(message: str) -> None:
    show_error(plain(message))


def simulate_form(napari_viewer: "Viewer") -> "FunctionGui":
    """Simulate a plate with known truth, then open it."""
    line = Latest()
    session = _session(napari_viewer)

    @magicgui(
        call_button="Simulate",
        out={"label": "New folder", "mode": "d"},
        wells={"choices": WELLS},
        sites={"min": 1, "max": 50},
        layout={"choices": ["phenix", "ome-zarr"]},
        seed={"min": 0, "max": 2**31 - 1},
    )
    def simulate(out: Path, wells: int = 96, sites: int = 2, layout: str = "phenix", seed: int = 0) -> None:
        def work() -> Path:
            from napari_cellclip.simulation import simulate_plate

            return simulate_plate(out, wells=wells, sites=sites, layout=layout, seed=seed)

        def opened(folder: Path) -> None:
            session.request(OpenRequest(folder))

        if line.running:
            show_info("A plate is being simulated already; it opens when it is ready.")
            return
        line.start(work, opened, _show_failure, title=f"Simulating {wells} wells")

    return simulate


def encode_form(napari_viewer: "Viewer") -> "FunctionGui":
    """Encode the open plate (the Set-up tab of the Explorer shows more)."""
    from napari_cellclip.model import image_cards

    session = _session(napari_viewer)
    settings = read_settings()
    names = list(image_cards())
    first = "demo" if "demo" in names else names[0]

    @magicgui(
        call_button="Encode",
        model={"choices": names},
        out={"label": "Output folder (empty: cache)", "mode": "d", "nullable": True},
        batch_size={"min": 0, "max": 4096},
    )
    def encode(model: str = first, out: Path | None = None, batch_size: int = settings.batch_size) -> None:
        if session.plate is None:
            show_error("Open a plate first.")
            return
        session.request(EncodeRequest(model, out, batch_size, settings.device))

    return encode


def export_form(napari_viewer: "Viewer") -> "FunctionGui":
    """Write the hit list, or the screen with its embeddings, in the format that the file's name says."""
    from napari_cellclip.gui.work.files.exports import export_work
    from napari_cellclip.screen.export import EXPORTS

    line = Latest()
    session = _session(napari_viewer)

    @magicgui(
        call_button="Export",
        path={"label": "File", "mode": "w", "filter": " ".join(f"*{suffix}" for suffix in EXPORTS)},
        selected_only={"label": "Selected wells only"},
    )
    def export(path: Path, selected_only: bool = False) -> None:
        line.start(
            export_work(session, path, selected_only),
            lambda text: show_info(plain(text)),
            _show_failure,
            title="Exporting",
        )

    return export


def settings_form() -> "FunctionGui":
    """Device, batch size and cache folder; also in napari's preferences."""
    now = read_settings()

    @magicgui(
        call_button="Save",
        device={"choices": ["auto", "cuda", "mps", "cpu"]},
        batch_size={"min": 0, "max": 4096},
        cache_dir={"label": "Cache folder (empty: default)"},
    )
    def settings(
        device: str = now.device, batch_size: int = now.batch_size, cache_dir: str = now.cache_dir
    ) -> None:
        if write_settings(Settings(device, batch_size, cache_dir)):
            show_info("Settings saved.")
        else:
            show_error("napari does not know this plugin: install napari-cellclip, then restart napari.")

    return settings


def _dock(form: "FunctionGui", title: str) -> None:
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        viewer.window.add_dock_widget(form, name=f"CellCLIP: {title}")


def open_simulate() -> None:
    """Menu command: dock the simulate form."""
    from napari import current_viewer

    _dock(simulate_form(current_viewer()), "Simulate a plate")


def open_encode() -> None:
    """Menu command: dock the encode form."""
    from napari import current_viewer

    _dock(encode_form(current_viewer()), "Encode")


def open_export() -> None:
    """Menu command: dock the export form."""
    from napari import current_viewer

    _dock(export_form(current_viewer()), "Export")


def open_settings() -> None:
    """Menu command: dock the settings form."""
    _dock(settings_form(), "Settings")


def show_map() -> None:
    """Menu command: lay the map of the open screen on the canvas."""
    from napari import current_viewer

    _session(current_viewer()).request(MapPictureRequest())
