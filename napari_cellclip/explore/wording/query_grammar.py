"""Operators and filters of a typed query: ``2*A - 0.5*B``, ``A AND NOT B``, ``at 3 uM in U2OS``.

What is read here is grammar only; what the words of a term mean is found by
:func:`napari_cellclip.explore.wording.reader.read_text`.

The reader is our own, not a parser library's: names hold brackets and signs, so whether one is an operator is
known only at the closing bracket, (A + B)x and (+)-JQ1. A grammar that allows this is ambiguous, and lark's
Earley parser takes 87 s for a hundred nested brackets (this: 1 ms); LALR refuses such names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from napari_cellclip.explore.wording.filters import Filters, take_filters

TermRole = Literal["sum", "and", "not"]

LONGEST_QUERY = 2000
"""Characters of a query that are read; the rest is left off."""

_NUMBER = r"\d{1,6}(?:[.,]\d{1,6})?|[.,]\d{1,6}"
_WEIGHT = re.compile(rf"\s*([+\-−])?\s*({_NUMBER})\s*[*×]\s*")
_SIGN = re.compile(r"\s*([+\-−])\s+")
_NOT = re.compile(r"\s*(?:NOT|but\s+not|and\s+not)\s+(?=\S)")
# Signs count as operators only between spaces: names such as BI-2536 and (+)-JQ1 are full of them. Words do
# so in capitals, for "bromodomain and extra-terminal" is one name; "and not" and "but not" are never one.
_OPERATOR = re.compile(
    r"\s+(?:(?P<sign>[+\-−])(?=\s)|(?P<but>(?i:and\s+not|but\s+not)|AND\s+NOT|NOT)(?=\s)|(?P<and>AND)(?=\s))\s*"
)
_OPEN, _CLOSE = "([{", ")]}"
_DEEPEST = 8


@dataclass(frozen=True)
class Term:
    """One text of a query and how it enters.

    Attributes
    ----------
    weight : float
        Factor of its direction; negative where it is taken away.
    text : str
        What was typed, without operators, weights and filters.
    role : {"sum", "and", "not"}
        ``sum``: added with its weight. ``and``: wells must answer this term also. ``not``: wells must not
        answer it; its weight is negative.
    """

    weight: float
    text: str
    role: TermRole = "sum"


def parse(text: str) -> tuple[tuple[Term, ...], Filters]:
    """Take a query apart into weighted terms and filters.

    Parameters
    ----------
    text : str
        ``A AND NOT B``, ``A AND B``, ``A + B - C``, ``2*A + 0.5*B``, ``NOT B``, brackets around sums, and at
        the end of a term a dose (``at 3 uM``, ``above 1 µM``, ``1-10 uM``) or a cell line (``in U2OS``).
        Text between double quotes is left alone. The signs need a space on either side.

    Returns
    -------
    tuple of Term
        None where nothing was typed.
    Filters
        Those of all terms together.

    Raises
    ------
    CellClipError
        If two terms ask for different doses or cell lines.

    Examples
    --------
    >>> terms, filters = parse("2*nocodazole - 0.5*BI-2536 at 3 uM")
    >>> [(t.weight, t.text) for t in terms], filters.dose.low
    ([(2.0, 'nocodazole'), (-0.5, 'BI-2536')], 3.0)
    >>> [t.role for t in parse("tubulin inhibitor AND NOT PLK inhibitor")[0]]
    ['sum', 'not']
    """
    clean = " ".join(text[:LONGEST_QUERY].split())
    terms: list[Term] = []
    filters = Filters()
    for term in _terms(clean, _DEEPEST):
        words, found = take_filters(term.text)
        filters = filters.joined(found)
        if words := _unquoted(words):
            terms.append(replace(term, text=words))
    return tuple(terms), filters


def _terms(text: str, depth: int) -> list[Term]:
    out: list[Term] = []
    for words, role, sign in _split(text):
        weight = sign
        if match := _WEIGHT.match(words):
            weight *= float(match[2].replace(",", ".")) * (-1 if match[1] in ("-", "−") else 1)
            words = words[match.end() :]
        words = words.strip()
        inner = _inside(words) if depth else ""
        parts = _terms(inner, depth - 1) if inner else []
        if len(parts) > 1:
            out += [_nested(part, role, weight) for part in parts]
        elif words:
            out.append(Term(-abs(weight) if role == "not" else weight, words, role))
    return out


def _nested(part: Term, role: TermRole, weight: float) -> Term:
    if role == "not":
        return Term(-abs(weight * part.weight), part.text, "not")
    return Term(weight * part.weight, part.text, part.role if role == "sum" else role)


def _split(text: str) -> list[tuple[str, TermRole, float]]:
    """Cut at operators that stand outside brackets and quotes: words, role and sign of each piece."""
    role: TermRole = "sum"
    sign, start = 1.0, 0
    if match := _NOT.match(text):
        role, sign, start = "not", -1.0, match.end()
    elif match := _SIGN.match(text):
        sign, start = (1.0 if match[1] == "+" else -1.0), match.end()
    outside = _outside(text)
    pieces: list[tuple[str, TermRole, float]] = []
    for match in _OPERATOR.finditer(text, start):
        if not outside[match.start()] or not text[start : match.start()].strip():
            continue
        pieces.append((text[start : match.start()], role, sign))
        start = match.end()
        role, sign = "sum", 1.0
        if match["sign"]:
            sign = 1.0 if match["sign"] == "+" else -1.0
        else:
            role = "and" if match["and"] else "not"
            sign = 1.0 if match["and"] else -1.0
    pieces.append((text[start:], role, sign))
    return pieces


def _outside(text: str) -> list[bool]:
    """Whether each character stands outside brackets and quotes; an opening that nothing closes is none."""
    waiting: list[int] = []
    depth_change = [0] * (len(text) + 1)
    quote = -1
    for at, letter in enumerate(text):
        if letter == '"':
            if quote >= 0:
                depth_change[quote] += 1
                depth_change[at] -= 1
                quote = -1
            else:
                quote = at
        elif quote >= 0:
            continue
        elif letter in _OPEN:
            waiting.append(at)
        elif letter in _CLOSE and waiting and _OPEN.index(text[waiting[-1]]) == _CLOSE.index(letter):
            depth_change[waiting.pop()] += 1
            depth_change[at] -= 1
    depth, outside = 0, []
    for change in depth_change[:-1]:
        depth += change
        outside.append(depth == 0)
    return outside


def _inside(words: str) -> str:
    """What stands within brackets that hold the whole text, else nothing."""
    if len(words) > 2 and words[0] == "(" and words[-1] == ")" and not any(_outside(words)[:-1]):
        return words[1:-1]
    return ""


def _unquoted(words: str) -> str:
    words = words.strip()
    return words[1:-1].strip() if len(words) > 1 and words[0] == words[-1] == '"' else words
