"""Ratios are medians over rounds taken in turns, demands are read right, and the report holds every figure."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks.speed import figures
from benchmarks.speed.figures import Figure, compare, reached, seconds_text
from benchmarks.speed.report import SCRIPTS, main, report, row


def test_ratio_and_spread() -> None:
    figure = Figure("a", ours=[1, 4, 9], partner=[1, 2, 3], against="b", wanted="<= 2")
    assert (figure.ratio, figure.spread, figure.reached) == (2, (1, 3), True)


@pytest.mark.parametrize(
    ("wanted", "ratio", "seconds", "expected"),
    [
        ("", 1, 1, None),
        ("<= 1.3", 1.3, 99, True),
        ("<= 1.3", 1.31, 0, False),
        (">= 0.95", 0.9, 0, False),
        ("< 3 s", 99, 2.9, True),
        ("< 150 ms", 0, 0.15, False),
        ("< 150 ms", 0, 0.149, True),
    ],
)
def test_demands(wanted, ratio, seconds, expected) -> None:
    assert reached(wanted, ratio, seconds) is expected


def test_both_sides_take_turns_and_swap_who_begins(monkeypatch) -> None:
    calls: list[str] = []
    ticks = iter(range(100))
    monkeypatch.setattr(figures.time, "perf_counter", lambda: next(ticks))
    found = compare("a", lambda: calls.append("o"), lambda: calls.append("p"), against="b", rounds=3)
    assert "".join(calls) == "op" + "op" + "po" + "op"
    assert found.ours == found.partner == [1, 1, 1]


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.50 s"), (0.25, "250.0 ms"), (2.5e-5, "25 us")])
def test_times_have_the_unit_that_suits_them(seconds, text) -> None:
    assert seconds_text(seconds) == text


def test_memory_is_no_time() -> None:
    found = Figure("a", ours=[1100], partner=[1000], against="b", wanted="<= 1.1", unit="MiB")
    assert "| a; against b | 1,100 MiB | 1,000 MiB | 1.1 (1.1 to 1.1) | <= 1.1 | reached |" in row(
        asdict(found)
    )


def test_the_report_holds_every_figure() -> None:
    one = {
        "name": "ask",
        "ours": [1.0],
        "partner": [4.0],
        "against": "a product",
        "wanted": "<= 0.2",
        "limit": "",
    }
    found = {
        "questions": {
            "date": "2026-11-30",
            "machine": {"processor": "x86", "load before": "0.7"},
            "peak_memory_gb": 1.25,
            "figures": [{**one, "ratio": 0.25, "spread": [0.25, 0.25]}],
        }
    }
    text = report(json.loads(json.dumps(found)), quick=True)
    assert (
        "| ask; against a product | 1.00 s | 4.00 s | 0.25 (0.25 to 0.25) | <= 0.2 | **not reached** |"
        in text
    )
    assert "measures nothing" in text
    assert "processor: x86" in text
    assert "| questions | 1.2 | 2026-11-30 | 0.7 |" in text
    assert "and not measured here" in text
    assert "measures nothing" not in report(found, quick=False)


def test_figures_of_scripts_that_are_not_run_stay(tmp_path, monkeypatch) -> None:
    def run(name: str) -> dict[str, object]:
        where = {"processor": "x86", "load before": "0.7"}
        return {"date": "2026-11-30", "machine": where, "peak_memory_gb": 1.0, "figures": []}

    monkeypatch.setattr("benchmarks.speed.report.run", run)
    main(["--only", "maps", "--out", str(tmp_path)])
    main(["--only", "derive", "--out", str(tmp_path)])
    assert list(json.loads((tmp_path / "REPORT.json").read_text())) == ["maps", "derive"]
    assert "## maps" in (tmp_path / "REPORT.md").read_text()


def test_scripts_are_found_by_what_they_do() -> None:
    assert {"encode_demo", "encode_dinov2", "derive", "maps", "questions", "roofline", "start"} <= set(
        SCRIPTS
    )
    assert not {"report", "figures", "encoding", "cost_per_bag"} & set(SCRIPTS)
