"""Run every timing of this folder and write the report.

Each script runs in a process of its own, one after the other; with ``--quick`` each core runs some, one after
the other in one process, so that libraries are imported once.
``benchmarks/REPORT.md`` and ``REPORT.json`` are written whole after each; figures of scripts that are not run
this time stay, with the date they are of.
``unmeasured.md`` is added at the end: what is wanted and cannot be measured here. Nothing fails because of a
time.
``python -m benchmarks.speed.report [--quick] [--only NAME…] [--out FOLDER]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from datetime import date
from importlib import import_module
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.figures import amount, need_a_display, reached, run_figures

FOLDER = Path(__file__).parent
UNMEASURED = FOLDER / "unmeasured.md"
LOAD = "load before"
LONGEST = ("window_leaks", "window", "start", "training_memory")
"""Begun first where scripts run beside one another."""
SCRIPTS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if path.stem != "report" and "script(measure, " in path.read_text(encoding="utf-8")
)


def run(name: str) -> dict[str, Any]:
    """Run one script in a process of its own and return what it found."""
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.speed.{name}", "--json", str(out)]
        subprocess.run(command, check=True)
        return {"date": f"{date.today():%Y-%m-%d}", **json.loads(out.read_text())}


def run_quickly(name: str) -> tuple[str, dict[str, Any]]:
    """Run one script at tiny sizes in this process; return what it printed, and found."""
    told, start = StringIO(), time.perf_counter()
    with redirect_stdout(told):
        found = run_figures(import_module(f"benchmarks.speed.{name}").measure, quick=True)
    header = f"== {name}, {time.perf_counter() - start:.0f} s\n"
    return header + told.getvalue(), {"date": f"{date.today():%Y-%m-%d}", **found}


def run_all(names: Sequence[str], quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run scripts, and yield the name of each with what it found."""
    if not quick:
        for name in names:
            yield name, run(name)
        return
    need_a_display()  # here: the processes below cannot start themselves again
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = {pool.submit(run_quickly, name): name for name in sorted(names, key=_longest_first)}
        for done in as_completed(running):
            told, found = done.result()
            print(told, flush=True)
            yield running[done], found


def _longest_first(name: str) -> int:
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def report(found: dict[str, dict[str, Any]], quick: bool) -> str:
    """Word the report in Markdown."""
    where = list(found.values())[-1]["machine"]
    lines = [
        "# Timings",
        "",
        "Written by `make bench`; what each means stands at the head of its script in `benchmarks/speed/`.",
        "Every figure is a ratio with its partner, measured in turns in one run: the median over rounds,",
        "smallest and largest in brackets. Below 1, ours is faster.",
        "",
        *(f"- {what}: {value}" for what, value in where.items() if what != LOAD),
    ]
    if quick:
        lines += ["", "**Tiny sizes: this shows that the scripts run, and measures nothing.**"]
    lines += ["", "## Peak memory", "", "| script | GB | measured | load before |", "|---|---:|---|---:|"]
    for name, one in found.items():
        lines.append(f"| {name} | {one['peak_memory_gb']:.1f} | {one['date']} | {one['machine'][LOAD]} |")
    for name, one in found.items():
        lines += ["", f"## {name}", ""]
        lines += ["| what | here | partner | ratio | wanted | |", "|---|---:|---:|---:|---|---|"]
        for figure in one["figures"]:
            lines.append(row(figure))
    return "\n".join([*lines, "", UNMEASURED.read_text(encoding="utf-8")])


def row(figure: dict[str, Any]) -> str:
    """Word one figure as a row of the table."""
    here, partner = median(figure["ours"]), median(figure["partner"])
    low, high = figure["spread"]
    verdict = {True: "reached", False: "**not reached**", None: ""}[
        reached(figure["wanted"], figure["ratio"], here)
    ]
    limit = f"; limit {figure['limit']}" if figure["limit"] else ""
    what = f"{figure['name']}; against {figure['against']}{limit}"
    ratio = f"{figure['ratio']:.3g} ({low:.3g} to {high:.3g})"
    unit = figure.get("unit", "s")  # figures of earlier reports are seconds
    cells = (what, amount(here, unit), amount(partner, unit), ratio, figure["wanted"], verdict)
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that they run")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME")
    parser.add_argument("--out", type=Path, default=FOLDER.parent, help="folder of the report")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    kept = given.out / "REPORT.json"
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name, one in run_all(given.only, given.quick):
        found[name] = one
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (given.out / "REPORT.md").write_text(report(found, given.quick), encoding="utf-8")


if __name__ == "__main__":
    main()
