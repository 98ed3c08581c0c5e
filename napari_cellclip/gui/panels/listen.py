"""Connects a widget to signals of the session for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

from psygnal import SignalInstance
from qtpy.QtWidgets import QWidget

_FORGETTING: WeakKeyDictionary[QWidget, list[Callable[[], None]]] = WeakKeyDictionary()
"""What Qt calls when it destroys a widget. Held here: Python's collector empties the functions it collects
with a widget, Qt may delete that widget later, and calling an emptied function is a segmentation fault."""


def listen(widget: QWidget, signal: SignalInstance, slot: Callable[..., object]) -> None:
    """Call a method of a widget at each emission until Qt destroys the widget.

    psygnal drops a callback when its Python object is collected; Qt destroys a widget earlier than that, and
    calling it in between would raise.

    Parameters
    ----------
    widget : QWidget
        The owner of the method.
    signal : psygnal.SignalInstance
        A signal of the session.
    slot : callable
        A bound method; held weakly.
    """
    signal.connect(slot)
    held: WeakMethod[Any] = WeakMethod(slot)

    def forget() -> None:
        if (alive := held()) is not None:
            signal.disconnect(alive, missing_ok=True)

    _FORGETTING.setdefault(widget, []).append(forget)
    widget.destroyed.connect(forget)
