"""What can be done next, in a sentence: for who opens the window for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cellclip.gui.state.session import Session

START = "Drop a plate or a screen here, or open the sample: menu Open a plate."
NAME_STAINS = "Next: choose what each channel shows (Set-up, step 2)."
PLATE_MAP = "Next: add the plate map (Set-up, step 3), or encode without."
ENCODE = "Next: encode the plate (Set-up, step 4)."
ASK = "Next: ask in words below, or select wells and press By example."
REFERENCES = "Next: see what the assay can recognise (References), or ask by example."
EXPLORE = "Double-click shows a well; Why says what matched."
NO_IMAGES = "No images are open for these wells: open their plate, if it has any, to see them."


def next_step(session: Session) -> str:
    """Say what can be done next with what is open."""
    plate, screen = session.plate, session.screen
    if plate is None and screen is None:
        return START
    if screen is None and plate is not None:
        if not plate.stains.complete:
            return NAME_STAINS
        return ENCODE if session.platemap is not None else PLATE_MAP
    if session.answer is None:
        return ASK if screen is None or screen.card.has_head else REFERENCES
    return EXPLORE if plate is not None else NO_IMAGES
