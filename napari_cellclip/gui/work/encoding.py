"""Handler that encodes the open plate into a screen."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from napari_cellclip.gui.recent import remember
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import EncodeRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.finding import screens_of
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.workers import Run
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Progress, Screen

SITES_PER_STEP = 8
"""Sites of one step, after which what was done is on disk."""

HEARTBEAT = 0.5
"""Seconds between two chances to cancel while a shard is encoded."""

LEAST_WELLS = 5
"""Wells that are finished before a screen is shown: of fewer there is no map."""

NOT_ACCEPTED = (
    "The licence of {model} was not accepted yet: point at the box 'I accept this licence' (Set-up, step 4) "
    "to read it, tick it, then press Encode, which fetches the weights."
)

SHOWN_EVERY = 10.0
"""Seconds between two looks at what is finished."""


def screen_folder(plate: Plate, model: str) -> Path:
    """Folder for a plate's screen by this model when the user names none.

    Reads the time stamp of every image: not for the main thread.
    """
    return read_settings().cache / "screens" / f"{plate.name}-{Path(model).name}-{plate.fingerprint()[:8]}"


def illuminated(plate: Plate, source: str, out: Path) -> Plate:
    """Correct the illumination of a plate as asked for; in a screen that has it, as when it was begun.

    Raises
    ------
    PlateError
        If a stain has no illumination function.
    """
    from napari_cellclip.plates.illumination_functions import illumination_of
    from napari_cellclip.screen import Screen
    from napari_cellclip.screen.storage.processing import as_encoded

    record = Screen.open(out).plates.get(plate.name) if (out / "screen.json").is_file() else None
    if record is not None and record.illumination is not None:
        return as_encoded(out, record, plate)
    return plate.with_illumination(illumination_of(plate, source)) if source != "none" else plate


def encode_plate(jobs: Jobs, request: EncodeRequest) -> None:
    """Encode the plate that is open, or go on with it; what is finished can be asked meanwhile."""
    session = jobs.session
    plate, platemap = session.plate, session.platemap
    if plate is None:
        session.message.emit(Task.ENCODE, "Open a plate first.")
        return

    def steps(run: Run) -> Generator[Progress, None, Screen]:
        # Refused before anything heavy is imported: that should not take seconds.
        if plate.stains.unmapped and not plate.stains.complete:
            raise CellClipError(
                f"The files of {plate.name} do not say which stain {', '.join(plate.stains.unmapped)} "
                "show: choose under Set-up, press Use these stains, then Encode."
            )
        plate.require_stains()
        from napari_cellclip.model import load_model
        from napari_cellclip.model.weights.hub import LicenceError
        from napari_cellclip.screen import Screen, iter_encode
        from napari_cellclip.screen.derive import iter_embed_wells

        out = request.out or screen_folder(plate, request.model)
        corrected = illuminated(plate, request.illumination, out)
        try:
            model = load_model(
                request.model,
                device=request.device,
                encoder=request.encoder,
                tokenizer=request.tokenizer,
                accept_licence=request.accept_licence,
                batch_size=request.batch_size or None,
            )
        except LicenceError:
            raise CellClipError(NOT_ACCEPTED.format(model=request.model)) from None
        shown = monotonic()
        run_steps = iter_encode(
            corrected,
            platemap,
            model,
            out,
            shard_sites=SITES_PER_STEP,
            retry_failed=request.retry_failed,
            precision=request.precision,
            heartbeat=HEARTBEAT,
        )
        with closing(run_steps):
            for step in run_steps:
                yield step
                if step.stage == "fields" and step.done < step.total and monotonic() - shown > SHOWN_EVERY:
                    for _ in iter_embed_wells(out, plate.name, model):
                        run.check()
                    so_far = Screen.open(out)
                    if (so_far.wells["Metadata_sites"] > 0).sum() >= LEAST_WELLS:
                        run.hand(so_far)
                    shown = monotonic()
        return Screen.open(out)

    def part(screen: Screen) -> None:
        if session.plate is plate:
            session.grow_screen(screen)

    def done(screen: Screen) -> None:
        remember("screens", screen.path)
        if session.plate is not plate:
            text = f"{plate.name} has been encoded: open the screen {screen.path} to look at it."
            session.message.emit(Task.ENCODE, text)
        else:
            session.grow_screen(screen, finished=True)
            session.setup.screens = screens_of(plate)

    jobs.stream_alone(Task.ENCODE, steps, part, done, f"Encoding {plate.name}", first="Loading the model")
