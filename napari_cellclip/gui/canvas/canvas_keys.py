"""Keys of the canvas: arrows step sites and wells, 1 to 5 draw one stain alone, 0 the composite, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_cellclip.vocabulary import STAINS, Stain

if TYPE_CHECKING:
    from napari_cellclip.gui.state.canvas_view import CanvasView
    from napari_cellclip.gui.state.session import Session

ARROWS = {"Left": ("well", -1), "Right": ("well", 1), "Up": ("site", -1), "Down": ("site", 1)}

UNDO = {"Control-Z": True, "Control-Shift-Z": False}
"""Napari has no undo of its own for images and points: its keys of labels go to the active layer first."""


class CanvasKeys:
    """Binds keys to a viewer and to layers: napari asks the active layer first.

    Parameters
    ----------
    session : Session
        Steps; held weakly.
    view : CanvasView
        Changes stains; held weakly.
    """

    def __init__(self, session: Session, view: CanvasView) -> None:
        self._session, self._view = ref(session), ref(view)
        self._bound = False

    def bind(self, target: Any) -> None:
        """Bind the keys to the viewer, once, or to one of our layers."""
        is_viewer = hasattr(target, "layers")
        if is_viewer and self._bound:
            return
        if is_viewer:
            self._bound = True
            for key, (what, step) in ARROWS.items():
                target.bind_key(key, self._step(what, step), overwrite=True)
        for key, back in UNDO.items():
            target.bind_key(key, self._undo(back), overwrite=True)
        for number, stain in enumerate((None, *STAINS)):
            target.bind_key(str(number), self._solo(stain), overwrite=True)

    def _step(self, what: str, step: int) -> Any:
        session = self._session

        def move(_viewer: Any) -> None:
            if (alive := session()) is not None:
                (alive.step_well if what == "well" else alive.step_site)(step)

        move.__doc__ = f"CellCLIP: show the {'next' if step > 0 else 'previous'} {what}."
        return move

    def _undo(self, back: bool) -> Any:
        session = self._session

        def replay(_target: Any) -> None:
            if (alive := session()) is not None:
                (alive.edits.undo if back else alive.edits.redo)()

        replay.__doc__ = f"CellCLIP: {'undo the last step' if back else 'do again what was undone'}."
        return replay

    def _solo(self, stain: Stain | None) -> Any:
        view = self._view

        def draw(_target: Any) -> None:
            if (alive := view()) is not None:
                alive.solo(stain)

        draw.__doc__ = f"CellCLIP: draw {f'{stain} alone' if stain else 'the composite'}."
        return draw
