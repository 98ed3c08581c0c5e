"""Operators and filters of a query."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_cellclip.explore.wording.filters import Dose, Filters, take_filters
from napari_cellclip.explore.wording.query_grammar import LONGEST_QUERY, Term, parse
from napari_cellclip.vocabulary import CellClipError


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("nocodazole", [(1, "nocodazole", "sum")]),
        ("A + B", [(1, "A", "sum"), (1, "B", "sum")]),
        ("A - B", [(1, "A", "sum"), (-1, "B", "sum")]),
        ("A − B", [(1, "A", "sum"), (-1, "B", "sum")]),
        ("- B", [(-1, "B", "sum")]),
        ("2*A + 0.5*B", [(2, "A", "sum"), (0.5, "B", "sum")]),
        ("2 * A - 0,5 * B", [(2, "A", "sum"), (-0.5, "B", "sum")]),
        ("-0.5*A + B", [(-0.5, "A", "sum"), (1, "B", "sum")]),
        ("A AND B", [(1, "A", "sum"), (1, "B", "and")]),
        ("A AND NOT B", [(1, "A", "sum"), (-1, "B", "not")]),
        ("A but not B", [(1, "A", "sum"), (-1, "B", "not")]),
        ("A and not 2*B", [(1, "A", "sum"), (-2, "B", "not")]),
        ("NOT B", [(-1, "B", "not")]),
        ("2*(A + B) - C", [(2, "A", "sum"), (2, "B", "sum"), (-1, "C", "sum")]),
        ("A - (B - C)", [(1, "A", "sum"), (-1, "B", "sum"), (1, "C", "sum")]),
        ("A AND NOT (B + C)", [(1, "A", "sum"), (-1, "B", "not"), (-1, "C", "not")]),
        ('"A - B" - C', [(1, "A - B", "sum"), (-1, "C", "sum")]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_operators(text, terms):
    assert list(parse(text)[0]) == [Term(*term) for term in terms]


@pytest.mark.parametrize(
    "text",
    [
        "BI-2536",
        "(+)-JQ1",
        "combretastatin A-4",
        "bromodomain and extra-terminal domain inhibitor",
        "inhibitor of ROCK1 and ROCK2",
        "COC(=O)Nc1nc2ccc(C(=O)c3cccs3)cc2[nH]1",
        "C[N+](C)(C)CC(=O)[O-]",
        "Na+/K+ ATPase inhibitor",
        "5-fluorouracil",
        "2,4-dinitrophenol",
        "inhibitor of protein folding in the ER",
        "(A + B)x",
    ],
)
def test_names_and_structures_are_not_cut(text):
    assert parse(text) == ((Term(1.0, text),), Filters())


@pytest.mark.parametrize(
    ("text", "words", "low", "high"),
    [
        ("nocodazole at 3 uM", "nocodazole", 3, 3),
        ("nocodazole 300nM", "nocodazole", 0.3, 0.3),
        ("nocodazole, 0.01 mM", "nocodazole", 10, 10),
        ("10 µM of nocodazole", "of nocodazole", 10, 10),
        ("taxol 1,5 µM", "taxol", 1.5, 1.5),
        ("taxol 1,000 nM", "taxol", 1, 1),
        ("taxol at 5 micromolar", "taxol", 5, 5),
        ("taxol 1-10 µM", "taxol", 1, 10),
        ("taxol between 100 nM and 1 uM", "taxol", 0.1, 1),
        ("taxol >= 1 uM", "taxol", 1, math.inf),
        ("taxol above 1 uM", "taxol", 1, math.inf),
        ("taxol up to 3 uM", "taxol", 0, 3),
        ("taxol < 500 nM", "taxol", 0, 0.5),
    ],
)
def test_doses(text, words, low, high):
    rest, filters = take_filters(text)
    assert rest == words
    assert filters.dose == Dose(pytest.approx(low), pytest.approx(high))
    assert str(filters)


@pytest.mark.parametrize("text", ["5 mm thick", "3 umbrellas", "HSP90 inhibitor", "100 cells", "p38 MAPK"])
def test_not_doses(text):
    assert take_filters(text) == (text, Filters())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nocodazole in U2OS", "U2OS"),
        ("nocodazole in U-2 OS cells", "U2OS"),
        ("nocodazole at 3 uM in A549 cells", "A549"),
        ("nocodazole in a549 at 3 uM", "A549"),
        ("nocodazole in hela", "HeLa"),
        ("folding in the ER", ""),
    ],
)
def test_cell_lines(text, line):
    assert take_filters(text)[1].cell_line == line


def test_the_example_of_the_documentation():
    terms, filters = parse("nocodazole at 3 uM in U2OS")
    assert terms == (Term(1.0, "nocodazole"),)
    assert filters == Filters(Dose(3.0, 3.0), "U2OS")


def test_filters_of_several_terms_are_one_and_may_not_differ():
    assert parse("A at 3 uM - B at 3 uM")[1].dose == Dose(3.0, 3.0)
    with pytest.raises(CellClipError, match="two doses"):
        parse("A at 3 uM - B at 10 uM")
    with pytest.raises(CellClipError, match="two cell lines"):
        parse("A in U2OS + B in A549")


def test_masks_of_a_plate_map():
    wells = pd.DataFrame(
        {"Metadata_dose": [3.0, 3.03, 10.0, np.nan], "Metadata_cell_line": ["U-2 OS", "", "A549", "U2OS"]}
    )
    assert Filters().mask(wells).all()
    assert not Filters()
    assert Filters(Dose(3, 3)).mask(wells).tolist() == [True, True, False, False]
    assert Filters(Dose(low=5)).mask(wells).tolist() == [False, False, True, False]
    assert Filters(cell_line="U2OS").mask(wells).tolist() == [True, True, False, True]
    assert Filters(Dose(3, 10), "A549").mask(wells).tolist() == [False, True, True, False]


WORDS = st.sampled_from(
    [
        "A",
        "taxol",
        "AND",
        "NOT",
        "+",
        "-",
        "2*",
        "(",
        ")",
        '"',
        "at 3 uM",
        "in U2OS",
        "but not",
        "0.5 *",
        "[",
        "−",
        "*",
    ]
)


@settings(max_examples=150, deadline=None)
@example("NOT -1*0")  # a weight of its own turns no NOT into a wish
@example("A AND NOT -2*B")
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_text_gives_terms_or_one_sentence(text):
    try:
        terms, filters = parse(text)
    except CellClipError:  # two doses or two cell lines; any other error fails the test
        return
    assert all(term.text.strip() and math.isfinite(term.weight) for term in terms)
    assert all((term.weight < 0) or term.role != "not" or term.weight == 0 for term in terms)
    assert isinstance(filters, Filters)


def test_long_queries_are_cut_in_good_time():
    for text in ("x" * 10_000, "(" * 10_000, "A + " * 5_000, '"' * 10_000, "1 " * 10_000):
        terms, _ = parse(text)
        assert sum(len(term.text) for term in terms) <= LONGEST_QUERY
