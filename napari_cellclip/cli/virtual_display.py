"""A screen that exists in memory only, to draw the window on where there is no other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from napari_cellclip.vocabulary.errors import CellClipError

SIZE = (1680, 1050)


@contextmanager
def virtual_display(size: tuple[int, int] = SIZE) -> Iterator[str | None]:
    """Run the body with ``DISPLAY`` set to a fresh virtual display (Linux; elsewhere nothing is needed).

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.

    Yields
    ------
    str or None
        The display, such as ``":99"``; ``None`` where the machine's own screen is used.

    Raises
    ------
    CellClipError
        If there is neither a virtual display nor a screen.
    """
    if not sys.platform.startswith("linux"):
        yield None
        return
    server = shutil.which("Xvfb")
    if server is None:
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            yield None
            return
        raise CellClipError(
            "there is no screen to draw on and no virtual one: install Xvfb "
            "(Debian, Ubuntu: apt-get install xvfb)"
        )
    # The server chooses a free number itself and writes it to the pipe: no race with other displays.
    reading, writing = os.pipe()
    with subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            process.kill()
            raise CellClipError("the virtual display (Xvfb) did not start: is /tmp writable?")
        before = {name: os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
        os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
        os.environ.pop("WAYLAND_DISPLAY", None)
        try:
            yield f":{number}"
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            process.terminate()
