"""The five stains of Cell Painting and the many names the field gives them."""

from __future__ import annotations

import re
from enum import StrEnum


class Stain(StrEnum):
    """One of the five Cell Painting channels (Bray et al. 2016, doi:10.1038/nprot.2016.105).

    The order of definition is the order in which this package stacks pixels: DNA, ER, RNA, AGP, Mito.

    Examples
    --------
    >>> Stain("Mito") is Stain.MITO
    True
    >>> Stain.recognise("Alexa 568")
    <Stain.AGP: 'AGP'>
    """

    DNA = "DNA"
    ER = "ER"
    RNA = "RNA"
    AGP = "AGP"
    MITO = "Mito"

    @property
    def target(self) -> str:
        """Target that the dye of this stain binds in the cell."""
        return _TARGETS[self]

    @property
    def colour(self) -> str:
        """Usual display colour of the stain, as ``#rrggbb``."""
        return _COLOURS[self]

    @classmethod
    def recognise(cls, text: str) -> Stain | None:
        """Return the stain that a channel, dye or file name speaks of, or ``None``.

        Parameters
        ----------
        text : str
            A channel name as found in metadata: ``"OrigMito"``, ``"Alexa 488"``, ``"488 long"``,
            ``"HOECHST 33342"``, ``"Ph_golgi"``.

        Returns
        -------
        Stain or None
            ``None`` where the text names no stain, or two different ones.
        """
        words = _words(text)
        spans = [(at, at + len(a), stain) for a, stain in _ALIASES.items() for at in _places(words, a)]
        # "Alexa 488 long" holds "Alexa 488": a name inside a longer one is not a name of its own.
        found = {
            stain
            for start, end, stain in spans
            if not any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in spans)
        }
        return found.pop() if len(found) == 1 else None


STAINS: tuple[Stain, ...] = tuple(Stain)
"""All five stains in the order in which pixels are stacked."""

_TARGETS = {
    Stain.DNA: "nuclear DNA (Hoechst 33342)",
    Stain.ER: "endoplasmic reticulum (concanavalin A)",
    Stain.RNA: "nucleoli and cytoplasmic RNA (SYTO 14)",
    Stain.AGP: "F-actin, Golgi and plasma membrane (phalloidin, wheat-germ agglutinin)",
    Stain.MITO: "mitochondria (MitoTracker)",
}

_COLOURS = {
    Stain.DNA: "#4d7cff",
    Stain.ER: "#38d46a",
    Stain.RNA: "#f2d13c",
    Stain.AGP: "#ff8a3c",
    Stain.MITO: "#ff4fa3",
}


def _words(text: str) -> tuple[str, ...]:
    """Split a name into lower-case words: case changes and digits are word borders."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", text)
    return tuple(w for w in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if w)


def _places(words: tuple[str, ...], alias: tuple[str, ...]) -> list[int]:
    n = len(alias)
    return [i for i in range(len(words) - n + 1) if words[i : i + n] == alias]


def _table(rows: dict[Stain, str]) -> dict[tuple[str, ...], Stain]:
    return {_words(name): stain for stain, names in rows.items() for name in names.split(",")}


# Names as they stand in CellProfiler tables, Opera Phenix indices, BBBC and JUMP metadata.
_ALIASES = _table(
    {
        Stain.DNA: "DNA,Hoechst,Hoechst 33342,DAPI,nuclei,nucleus,nuclear,Draq5",
        Stain.ER: "ER,ERSyto,ER Syto,ConA,Con A,concanavalin,concanavalin A,Alexa 488,AF 488,"
        "AlexaFluor 488,Alexa Fluor 488,FITC,endoplasmic reticulum,endoplasmic",
        Stain.RNA: "RNA,SYTO,SYTO 14,ERSytoBleed,ER Syto Bleed,Syto Bleed,488 long,488 650,"
        "Alexa 488 long,Alexa Fluor 488 long,AlexaFluor 488 long,AF 488 long,nucleoli,nucleolus",
        Stain.AGP: "AGP,Ph golgi,PhGolgi,Golgi,actin,phalloidin,WGA,wheat germ,Alexa 568,AF 568,"
        "AlexaFluor 568,Alexa Fluor 568,Alexa 555,AF 555,Alexa 594,AF 594,Texas Red,TexasRed,TxRed,"
        "plasma membrane",
        Stain.MITO: "Mito,MitoTracker,Mito Tracker,mitochondria,mitochondrion,Alexa 647,AF 647,"
        "AlexaFluor 647,Alexa Fluor 647,MitoTracker Deep Red,deep red,Cy5",
    }
)

_UNSTAINED = tuple(
    _words(name)
    for name in (
        "brightfield",
        "bright field",
        "BF",
        "ZBF",
        "phase",
        "DPC",
        "DIC",
        "transmitted",
        "transmission",
        "TL",
    )
)


def is_unstained(text: str) -> bool:
    """Tell whether a channel name speaks of brightfield, phase contrast or other transmitted light.

    Examples
    --------
    >>> is_unstained("OrigBrightfield_H"), is_unstained("Digital Phase Contrast"), is_unstained("AGP")
    (True, True, False)
    """
    words = _words(text)
    return any(_places(words, alias) for alias in _UNSTAINED)
