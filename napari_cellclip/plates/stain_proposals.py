"""Propose stains for channels whose names fit more than one: filters such as GFP, codes such as ``w2``.

A proposal is never acted upon: it is shown with its reason, and the user confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from napari_cellclip.plates.acquisition import Channel
from napari_cellclip.vocabulary import STAINS, Stain

_ORANGE = "orange"

# What is seen through a filter in most Cell Painting protocols (Bray et al. 2016,
# doi:10.1038/nprot.2016.105). RNA and AGP both lie in the orange: their filters have a rank by wavelength
# in nanometres.
_FILTERS: dict[str, Stain | tuple[str, int]] = {
    **dict.fromkeys(("blue", "bfp", "ebfp", "cfp", "385", "390", "405"), Stain.DNA),
    **dict.fromkeys(("green", "gfp", "egfp", "475", "488"), Stain.ER),
    **dict.fromkeys(("nir", "far", "farred", "633", "638", "640", "647"), Stain.MITO),
    **dict.fromkeys(("yfp", "yellow", "532"), (_ORANGE, 530)),
    **dict.fromkeys(("tritc", "cy3", "rfp", "dsred", "orange", "546", "555", "561"), (_ORANGE, 560)),
    **dict.fromkeys(("mcherry", "red", "568", "594"), (_ORANGE, 590)),
}

_WORDS = re.compile(r"[a-z]*cy\d|[a-z]+|\d+")
_CODE = re.compile(r"(w|ch|channel|c|a|d)[ _-]?0*(\d{1,2})", re.IGNORECASE | re.ASCII)

_RISING = (Stain.DNA, Stain.ER, Stain.RNA, Stain.AGP, Stain.MITO)
# Published orders of numbered channels, by the letters before the number.
_ORDERS: dict[str, tuple[tuple[tuple[Stain, ...], str], ...]] = {
    "w": (
        (_RISING, "Bray 2017 (ImageXpress)"),
        ((Stain.DNA, Stain.ER, Stain.AGP, Stain.RNA, Stain.MITO), "RxRx1"),
        (tuple(reversed(_RISING)), "source 8 of JUMP (ImageXpress)"),
    ),
    "ch": (
        (tuple(reversed(_RISING)), "CPJUMP1 (Phenix)"),
        (_RISING, "increasing wavelength"),
    ),
    "c": (
        (_RISING, "increasing wavelength, as in source 10 of JUMP (CV8000)"),
        (tuple(reversed(_RISING)), "decreasing wavelength"),
    ),
}


@dataclass(frozen=True, slots=True)
class StainProposal:
    """A way to map the channels that is likely and not certain.

    Attributes
    ----------
    channels : mapping of Stain to str
        Channel names, as ``channels=`` takes them.
    reason : str
        Why, in one sentence.
    """

    channels: Mapping[Stain, str]
    reason: str


def propose_stains(unmapped: Sequence[Channel], known: Collection[Stain]) -> tuple[StainProposal, ...]:
    """Propose stains for channels that the files do not map.

    Parameters
    ----------
    unmapped : sequence of Channel
        Channels without a stain; those without one on purpose (brightfield) are not among them.
    known : collection of Stain
        Stains that have a channel.

    Returns
    -------
    tuple of StainProposal
        Likely mappings; several where two orders exist. Empty where nothing speaks for any.
    """
    return _by_order(unmapped, known) or _by_filter(unmapped, known)


def _by_order(unmapped: Sequence[Channel], known: Collection[Stain]) -> tuple[StainProposal, ...]:
    """Propose the published orders where all channels have but a number, and there are at least five."""
    codes = [_CODE.fullmatch(channel.name) for channel in unmapped]
    numbered = [(int(c[2]), channel.name) for c, channel in zip(codes, unmapped, strict=True) if c]
    from_zero = any(n == 0 for n, _ in numbered)  # as some instruments count
    names = {n + from_zero: name for n, name in numbered}
    if known or None in codes or not set(range(1, 6)) <= set(names):
        return ()
    prefix = str(codes[0] and codes[0][1]).lower()
    return tuple(
        StainProposal(
            {stain: names[order.index(stain) + 1] for stain in STAINS},
            f"by the order of {whose}; a number says nothing for certain",
        )
        for order, whose in _ORDERS.get(prefix, _ORDERS["c"])
    )


def _by_filter(unmapped: Sequence[Channel], known: Collection[Stain]) -> tuple[StainProposal, ...]:
    filters = {channel.name: found for channel in unmapped if (found := _filter(channel))}
    certain: dict[Stain, str] = {}
    for stain in (Stain.DNA, Stain.ER, Stain.MITO):
        names = [name for name, found in filters.items() if found == stain]
        if stain not in known and len(names) == 1:
            certain[stain] = names[0]
    orange = sorted((found[1], name) for name, found in filters.items() if isinstance(found, tuple))
    free = [s for s in (Stain.RNA, Stain.AGP) if s not in known]
    told = [f"{name} is a filter for {stain}" for stain, name in certain.items()]
    ways: list[dict[Stain, str]] = [{}]
    if orange and len(orange) == len(free) and all(a[0] < b[0] for a, b in pairwise(orange)):
        ways = [{stain: name for stain, (_, name) in zip(free, orange, strict=True)}]
        told += [f"{name} is the orange filter left for {stain}" for stain, name in ways[0].items()]
    elif len(orange) == 1 and len(free) == 2:
        name = orange[0][1]
        ways = [{stain: name} for stain in free]
        told.append(f"{name} may show RNA or AGP")
    proposals = [_ordered(certain | way) for way in ways]
    reason = "; ".join(told)
    return tuple(StainProposal(channels, reason) for channels in proposals if channels)


def _filter(channel: Channel) -> Stain | tuple[str, int] | None:
    """Find what a channel's filter may show; emission, which comes last, counts."""
    for text in (channel.name, *channel.aliases):
        found = [f for word in _WORDS.findall(text.lower()) if (f := _FILTERS.get(word))]
        if found:
            return found[-1]
    return None


def _ordered(channels: Mapping[Stain, str]) -> dict[Stain, str]:
    return {stain: channels[stain] for stain in STAINS if stain in channels}
