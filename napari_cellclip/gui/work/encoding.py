"""Handler that encodes the open plate into a screen."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import EncodeRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Progress, Screen

SITES_PER_STEP = 8
"""Sites between two chances to cancel; few, so that Cancel is felt at once."""


def screen_folder(plate: Plate, model: str) -> Path:
    """Folder for a plate's screen by this model when the user names none.

    Reads the time stamp of every image: not for the main thread.
    """
    return read_settings().cache / "screens" / f"{plate.name}-{model}-{plate.fingerprint()[:8]}"


def encode_plate(jobs: Jobs, request: EncodeRequest) -> None:
    """Encode the plate that is open, or go on with it, and open the screen."""
    session = jobs.session
    plate, platemap = session.plate, session.platemap
    if plate is None:
        session.message.emit(Task.ENCODE, "Open a plate first.")
        return

    def steps() -> Generator[Progress, None, Screen]:
        # Refused before anything heavy is imported: that should not take seconds.
        if plate.stains.unmapped:
            raise CellClipError(
                f"The files of {plate.name} do not say which stain {', '.join(plate.stains.available)} "
                "show: choose under Set-up, press Use these stains, then Encode."
            )
        plate.require_stains()
        from napari_cellclip.model import load_model
        from napari_cellclip.screen import Screen, iter_encode

        out = request.out or screen_folder(plate, request.model)
        model = load_model(
            request.model,
            device=request.device,
            accept_licence=request.accept_licence,
            batch_size=request.batch_size,
        )
        yield from iter_encode(plate, platemap, model, out, shard_sites=SITES_PER_STEP)
        return Screen.open(out)

    def done(screen: Screen) -> None:
        if session.plate is not None and session.plate.name != plate.name:
            text = f"{plate.name} has been encoded: open the screen {screen.path} to look at it."
            session.message.emit(Task.ENCODE, text)
        else:
            session.set_screen(screen)

    jobs.stream(Task.ENCODE, steps, done, f"Encoding {plate.name}", first="Loading the model")
