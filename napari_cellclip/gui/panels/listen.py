"""Connects a widget to signals of the session for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from psygnal import SignalInstance
from qtpy.QtWidgets import QWidget


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

    widget.destroyed.connect(forget)
