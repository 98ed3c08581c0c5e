"""Part the mechanisms that one cell of a table lists, by whichever sign its source uses."""

from __future__ import annotations

import re

_LAST_WORDS = frozenset(
    [
        *("activator", "agent", "agonist", "analgesic", "analog", "analogue", "anesthetic", "antagonist"),
        *("antibiotic", "antioxidant", "blocker", "chelator", "destabilizer", "donor", "enhancer"),
        *("inducer", "inhibitor", "ligand", "modulator", "opener", "precursor", "promoter"),
        *("releaser", "scavenger", "secretagogue", "stabilizer", "stimulant", "suppressant"),
    ]
)
"""What mechanisms end in; names may hold commas of their own, so that a comma alone parts nothing."""

_COMMA = re.compile(r",(?![^()]*\))(?!\d)")
"""A comma outside of brackets and not within a number such as ``1,4``."""


def listed_mechanisms(cell: str) -> tuple[str, ...]:
    """Part a cell at ``|`` or ``;``, or at commas where every part reads as a mechanism.

    Parameters
    ----------
    cell : str
        As the table has it.

    Examples
    --------
    >>> listed_mechanisms("Aurora kinase inhibitor;JAK inhibitor")
    ('Aurora kinase inhibitor', 'JAK inhibitor')
    >>> listed_mechanisms("JAK inhibitor, FLT3 inhibitors")
    ('JAK inhibitor', 'FLT3 inhibitors')
    >>> listed_mechanisms("inhibitor of transport, mitochondrial")
    ('inhibitor of transport, mitochondrial',)
    """
    parts = _parts(re.split(r"[|;]", cell))
    if len(parts) != 1:
        return parts
    by_comma = _parts(_COMMA.split(parts[0]))
    ends = [part.split()[-1].lower() for part in by_comma]
    return (
        by_comma if all(end in _LAST_WORDS or end.removesuffix("s") in _LAST_WORDS for end in ends) else parts
    )


def _parts(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in texts if part.strip()))
