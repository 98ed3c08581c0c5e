"""Run every timing of this folder and write the report.

Each script runs in a process of its own, one after the other; with ``--quick`` all run in this one.
``benchmarks/REPORT.md`` and ``REPORT.json`` are written whole after each; figures of scripts that are not run
this time stay, with the date they are of.
``unmeasured.md`` is added at the end: what is wanted and cannot be measured here. Nothing fails because of a
time.
``python -m benchmarks.speed.report [--quick] [--only NAME…] [--out FOLDER]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.figures import amount, reached, run_figures

FOLDER = Path(__file__).parent
UNMEASURED = FOLDER / "unmeasured.md"
LOAD = "load before"
SCRIPTS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if path.stem != "report" and "script(measure, " in path.read_text(encoding="utf-8")
)


def run(name: str, quick: bool) -> dict[str, Any]:
    """Run one script and return what it found: in a process of its own, or, to be quick, in this one."""
    print(f"== {name}", flush=True)
    if quick:
        module = import_module(f"benchmarks.speed.{name}")
        found = run_figures(module.measure, quick)
    else:
        with tempfile.TemporaryDirectory() as made:
            out = Path(made) / "figures.json"
            command = [sys.executable, "-m", f"benchmarks.speed.{name}", "--json", str(out)]
            subprocess.run(command, check=True)
            found = json.loads(out.read_text())
    return {"date": f"{date.today():%Y-%m-%d}", **found}


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
    for name in given.only:
        found[name] = run(name, given.quick)
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (given.out / "REPORT.md").write_text(report(found, given.quick), encoding="utf-8")


if __name__ == "__main__":
    main()
