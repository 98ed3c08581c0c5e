"""Where the time of one piece of work goes: samples of its threads by py-spy, by function.

py-spy is no dependency (``pip install py-spy``); it needs the right to look into another process (root, or
``kernel.yama.ptrace_scope`` 0). Only the work is sampled, not what it is prepared by, and only threads that
compute: those that wait for another are left out. ``alone`` is the share of samples in a function itself, or
in compiled code that it calls; ``with`` the share of those in it or in what it calls.
``python -m benchmarks.speed.profiles {encode_demo,encode_dinov2,question,first_question,import_features}``
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.speed.encode_dinov2 import dinov2_small
from benchmarks.speed.encoding import intensities_of_few, linked_plate, model_of
from benchmarks.speed.many_sites import card, plates
from benchmarks.speed.questions import MemoryScreen, memory_screen
from napari_cellclip.explore import ask
from napari_cellclip.model import IntensityScaling, SmallEncoder
from napari_cellclip.model.encoders.transformers_encoder import TransformersEncoder
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.screen.imports.features import write_features

SECONDS, RATE = 12, 100
WELLS, DIM, SITES = 100_224, 512, 125_000
WAITING = ("threading.py", "queue.py", "concurrent/futures/thread.py", "selectors.py")


def encoding(made: Path, encoder: SmallEncoder | TransformersEncoder, size: int, sites: int) -> None:
    """Encode a plate in float32; what is made once is made at the first call."""
    plate = open_plate(made / "plate") if (made / "plate").exists() else linked_plate(made, size, sites)
    scaling = IntensityScaling(kind="plate" if isinstance(encoder, SmallEncoder) else "image")
    model = model_of(encoder, scaling, 224)
    shutil.rmtree(made / "screen", ignore_errors=True)
    with intensities_of_few():
        encode(plate, None, model, made / "screen", precision="float32")


def importing(made: Path) -> None:
    """Import features into a new screen."""
    shutil.rmtree(made / "screen", ignore_errors=True)
    write_features(made / "screen", card(), plates(SITES))


def work_of(name: str, made: Path) -> Callable[[], object]:
    """Prepare a piece of work and return it."""
    if name == "encode_demo":
        return partial(encoding, made, SmallEncoder(), 1080, 6)
    if name == "encode_dinov2":
        return partial(encoding, made, dinov2_small(), 448, 1)
    if name == "import_features":
        return lambda: (
            shutil.rmtree(made / "s", ignore_errors=True),
            write_features(made / "s", card(), plates(SITES)),
        )
    screen = memory_screen(WELLS, DIM)
    if name == "question":
        return lambda: ask(screen, "what", prompts=["x"], top=100)
    parts = (screen.embeddings, screen.wells, screen.model.card, screen.path)
    return lambda: ask(MemoryScreen(*parts), "what", prompts=["x"], top=100)


def sampled(work: Callable[[], object], sampler: str, out: Path) -> None:
    """Do some work again and again while py-spy looks; once before, for what is compiled and kept."""
    work()
    command = [sampler, "record", "--format", "raw", "--rate", str(RATE), "--nonblocking"]
    with subprocess.Popen([*command, "--pid", str(os.getpid()), "--output", str(out)]) as looking:
        time.sleep(1)
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            work()
        looking.send_signal(signal.SIGINT)


def shares(raw: str) -> tuple[dict[str, float], dict[str, float]]:
    """Compute from py-spy's raw output the share of samples in each function, alone and with what it calls.

    Examples
    --------
    >>> shares("f (a.py:1);g (b.py:2) 3\\nf (a.py:9) 1\\nrun (a.py:1);wait (threading.py:3) 9")
    ({'g (b.py)': 0.75, 'f (a.py)': 0.25}, {'f (a.py)': 1.0, 'g (b.py)': 0.75})
    """
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, count = line.rsplit(" ", 1)
        frames = [f"{frame.rsplit(':', 1)[0]})" for frame in stack.split(";") if ":" in frame]
        if not frames or any(frames[-1].endswith(f"{name})") for name in WAITING):
            continue
        alone[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    total = alone.total() or 1
    first, second = ({name: n / total for name, n in counts.most_common()} for counts in (alone, within))
    return first, second


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("encode_demo", "encode_dinov2", "question", "first_question", "import_features")
    parser.add_argument("work", choices=names)
    parser.add_argument("--sampler", default="py-spy", help="where py-spy is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "samples"
        sampled(work_of(given.work, Path(made)), given.sampler, out)
        alone, within = shares(out.read_text())
    ours = {name: share for name, share in within.items() if "napari_cellclip" in name}
    for title, found in (("alone", alone), ("with", ours)):
        for name, share in list(found.items())[:14]:
            print(f"{title:5} {share:6.1%}  {name}")


if __name__ == "__main__":
    main()
