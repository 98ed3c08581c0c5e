"""Measure two ways of doing the same in turns, and report the ratio of their times.

A figure is a ratio with its partner, measured in the same process and in turns, so that other work on the
machine meets both sides alike; it is the median over rounds, with the smallest and the largest. Every
script of this folder makes a list of figures and runs by itself (``--quick``: tiny sizes, which only show
that it runs);
``python -m benchmarks.speed.report`` runs them all.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

Work = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One comparison.

    Attributes
    ----------
    name : str
        What was done, at which size.
    ours, partner : list of float
        Seconds of each round, in turns.
    against : str
        What the partner is.
    wanted : str
        Such as ``"<= 1.3"``, of the ratio; ``"< 3 s"``, of our median; empty where nothing was demanded.
    limit : str
        What bounds this, and how far off we are.
    unit : str
        Of both sides; ``"s"``, or another in which whole numbers will do, such as ``"MiB"``.
    """

    name: str
    ours: list[float]
    partner: list[float]
    against: str
    wanted: str = ""
    limit: str = ""
    unit: str = "s"
    ratio: float = field(init=False)
    spread: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        ratios = [a / b for a, b in zip(self.ours, self.partner, strict=True)]
        object.__setattr__(self, "ratio", median(ratios))
        object.__setattr__(self, "spread", (min(ratios), max(ratios)))

    @property
    def reached(self) -> bool | None:
        """Whether what was wanted was measured; ``None`` where nothing was."""
        return reached(self.wanted, self.ratio, median(self.ours))


def reached(wanted: str, ratio: float, seconds: float) -> bool | None:
    """Compare a demand such as ``"<= 1.3"`` or ``"< 3 s"`` with a ratio or with seconds."""
    if not wanted:
        return None
    sign, number, *unit = wanted.split()
    value = seconds if unit else ratio
    bound = float(number) / (1000 if unit == ["ms"] else 1)
    return {"<": value < bound, "<=": value <= bound, ">=": value >= bound, ">": value > bound}[sign]


def compare(
    name: str,
    ours: Work,
    partner: Work,
    *,
    against: str,
    rounds: int = 3,
    wanted: str = "",
    limit: str = "",
    clock: Literal["wall", "cpu"] = "wall",
    warm_up: bool = True,
    rest: float = 0.0,
) -> Figure:
    """Time two calls in turns; parameters as the attributes of `Figure`.

    Parameters
    ----------
    rounds : int
        Of each.
    clock : {"wall", "cpu"}
        Which seconds count; CPU time of this process where both sides compute in one thread.
    warm_up : bool
        Call both once before: compilation and caches are then in neither.
    rest : float
        Seconds to wait before each: threads of BLAS spin for some 30 ms after a product, on a core that the
        other side would be timed without.
    """
    now = time.perf_counter if clock == "wall" else time.process_time
    if warm_up:
        ours()
        partner()
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            gc.collect()
            time.sleep(rest)
            start = now()
            (ours, partner)[side]()
            times[side].append(now() - start)
    return Figure(name, times[0], times[1], against, wanted, limit)


def machine() -> dict[str, str]:
    """Describe where this runs."""
    import numpy as np
    import torch

    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "numpy": np.__version__,
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def processor() -> str:
    """Look up the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def peak_memory() -> float:
    """Largest resident memory of this process, or of one that it started, so far, GB."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) / 1e6


def need_a_display() -> None:
    """Start this program again on a virtual display where there is none."""
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform == "linux" and not shown and (xvfb := shutil.which("xvfb-run")) is not None:
        os.execv(xvfb, [xvfb, "-a", sys.executable, *sys.orig_argv[1:]])


def show(figures: Sequence[Figure]) -> None:
    """Print figures as a table."""
    for figure in figures:
        low, high = figure.spread
        verdict = {True: ", reached", False: ", not reached", None: ""}[figure.reached]
        wanted = f"   (wanted {figure.wanted}{verdict})" if figure.wanted else ""
        print(figure.name)
        print(f"  here     {amount(median(figure.ours), figure.unit):>10}")
        print(f"  partner  {amount(median(figure.partner), figure.unit):>10}   {figure.against}")
        print(
            f"  ratio    {figure.ratio:10.3g}   {low:.3g} to {high:.3g} in {len(figure.ours)} rounds{wanted}"
        )
        if figure.limit:
            print(f"  limit    {figure.limit}")


def amount(value: float, unit: str) -> str:
    """Write a figure with its unit."""
    return seconds_text(value) if unit == "s" else f"{value:,.0f} {unit}"


def seconds_text(seconds: float) -> str:
    """Write a time with the unit that suits it."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


def script(measure: Callable[[bool], list[Figure]], documentation: str | None) -> None:
    """Run one script of this folder from the command line.

    Parameters
    ----------
    measure : callable
        Takes whether to be quick, and returns figures.
    documentation : str or None
        Of the script.
    """
    parser = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args()
    found = run_figures(measure, given.quick)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def run_figures(measure: Callable[[bool], list[Figure]], quick: bool) -> dict[str, Any]:
    """Measure, print, and return what the report keeps: the machine, the peak memory and the figures."""
    where = machine()
    figures = measure(quick)
    show(figures)
    print(f"\n{where['processor']}, {where['cores']} cores, torch {where['torch']}")
    print(f"peak memory {peak_memory():.1f} GB", flush=True)
    return {"machine": where, "peak_memory_gb": peak_memory(), "figures": [asdict(f) for f in figures]}
