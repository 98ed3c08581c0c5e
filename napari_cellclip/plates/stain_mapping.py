"""Map the channels of the files to stains, and say how each is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_cellclip.plates.acquisition import Channel, Problem
from napari_cellclip.plates.stain_proposals import StainProposal, propose_stains
from napari_cellclip.vocabulary import STAINS, Stain, StainError, is_unstained

# Excitation and emission ranges (nm) that contain the filter sets of all JUMP sources
# (Chandrasekaran et al. 2023, doi:10.1101/2023.03.23.534023, microscope_filter.csv).
_BANDS: dict[Stain, tuple[tuple[float, float, float, float], ...]] = {
    Stain.DNA: ((340, 420, 410, 510),),
    Stain.ER: ((450, 504, 495, 562),),
    Stain.RNA: ((450, 504, 563, 720), (505, 538, 525, 640)),
    Stain.AGP: ((539, 595, 565, 660),),
    Stain.MITO: ((600, 665, 640, 800),),
}


@dataclass(frozen=True)
class StainMapping:
    """Stains of a plate with the channels that show them.

    Attributes
    ----------
    channels : dict
        Channel name in the files, by stain.
    sources : dict
        Where that came from, by stain: ``"Index.idx.xml channel name 'HOECHST 33342'"``.
    ignored : dict
        Why a channel is left out (brightfield, phase), by channel name.
    unmapped : tuple of str
        Channels whose stain the files do not say.
    missing : tuple of Stain
        Stains no channel is mapped to.
    available : tuple of str
        All channel names, in the order of the files.
    proposals : tuple of StainProposal
        What the unmapped channels probably are, for the user to confirm; never acted upon.
    """

    channels: dict[Stain, str]
    sources: dict[Stain, str]
    ignored: dict[str, str]
    unmapped: tuple[str, ...]
    missing: tuple[Stain, ...]
    available: tuple[str, ...] = ()
    proposals: tuple[StainProposal, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all five stains have a channel."""
        return not self.missing

    def require(self, plate: str, stains: Sequence[Stain] = STAINS) -> None:
        """Refuse if a stain that is needed has no channel.

        Raises
        ------
        StainError
            Names the missing stains, and the option to pass where channels are left that may be them.
        """
        missing = [s for s in stains if s not in self.channels]
        if not missing:
            return
        named = _listed([str(s) for s in missing])
        if self.unmapped:
            first = f"{missing[0]}={self.unmapped[0]}"
            raise StainError(
                f"plate {plate}: no channel is known to show {named}, and the files do not say which stain "
                f"{_listed(list(self.unmapped))} {'shows' if len(self.unmapped) == 1 else 'show'}. "
                f"Pass channels={{'{missing[0]}': '{self.unmapped[0]}', …}} "
                f"(on the command line --channel '{first}', once per stain)" + self._proposed()
            )
        present = _listed([f"{s} ({c})" for s, c in self.channels.items()]) or "none"
        these = "this stain is" if len(missing) == 1 else "these stains are"
        raise StainError(
            f"plate {plate} was imaged without {named}: stains found are {present}. It can be looked at, but "
            f"not used where {these} needed; if a channel was misread, correct it with "
            f"channels={{'{missing[0]}': '…'}} (on the command line --channel {missing[0]}=…)"
        )

    def _proposed(self) -> str:
        """Write the proposals as a sentence to confirm; empty where there are none."""
        ways = [
            f"{', '.join(f'{stain}={name}' for stain, name in p.channels.items())} ({p.reason})"
            for p in self.proposals
        ]
        return f". If you confirm it, probably {'; or '.join(ways)}" if ways else ""


def map_stains(
    channels: Sequence[Channel], chosen: Mapping[Stain, str] | Mapping[Stain | str, str | int] | None = None
) -> tuple[StainMapping, tuple[Problem, ...]]:
    """Map channels to stains by name and wavelength, never by position.

    Parameters
    ----------
    channels : sequence of Channel
        The channels of a plate.
    chosen : mapping, optional
        Stain to channel name or number, as the user chose; it overrides what the files say.

    Returns
    -------
    StainMapping
    tuple of Problem
        Channels that claim the same stain.

    Raises
    ------
    StainError
        If ``chosen`` names a stain or a channel that does not exist, or one channel twice.
    """
    ignored: dict[str, str] = {}
    claims: dict[Stain, list[tuple[Channel, str]]] = {}
    for channel in channels:
        if reason := _unstained(channel):
            ignored[channel.name] = reason
        elif found := _recognised(channel):
            claims.setdefault(found[0], []).append((channel, found[1]))
    mapped = {stain: found[0] for stain, found in claims.items() if len(found) == 1}
    problems = tuple(
        Problem(
            ", ".join(c.name for c, _ in found),
            f"these channels all look like {stain}; choose one with "
            f"channels={{'{stain}': '{found[0][0].name}'}}",
        )
        for stain, found in claims.items()
        if len(found) > 1
    )
    given = chosen_channels(channels, chosen or {})
    taken = {channel.name for channel in given.values()}
    mapped = {s: (c, why) for s, (c, why) in mapped.items() if c.name not in taken}
    mapped |= {s: (c, "given by the user") for s, c in given.items()}
    ignored = {name: why for name, why in ignored.items() if name not in taken}
    used = {c.name for c, _ in mapped.values()} | set(ignored)
    ordered = [s for s in STAINS if s in mapped]
    unmapped = [c for c in channels if c.name not in used]
    mapping = StainMapping(
        channels={s: mapped[s][0].name for s in ordered},
        sources={s: mapped[s][1] for s in ordered},
        ignored=ignored,
        unmapped=tuple(c.name for c in unmapped),
        missing=tuple(s for s in STAINS if s not in mapped),
        available=tuple(c.name for c in channels),
        proposals=propose_stains(unmapped, set(ordered)),
    )
    return mapping, tuple(p for p, s in zip(problems, _contested(claims), strict=True) if s not in given)


def _contested(claims: Mapping[Stain, list[tuple[Channel, str]]]) -> list[Stain]:
    return [stain for stain, found in claims.items() if len(found) > 1]


def _unstained(channel: Channel) -> str:
    for text in (channel.name, *channel.aliases):
        if is_unstained(text):
            return f"{channel.source} {text!r} is brightfield or phase contrast"
    return channel.unstained


def _recognised(channel: Channel) -> tuple[Stain, str] | None:
    for text in (channel.name, *channel.aliases):
        if stain := Stain.recognise(text):
            return stain, f"{channel.source} {text!r}"
    if channel.excitation and channel.emission:
        for stain, bands in _BANDS.items():
            for low, high, red_low, red_high in bands:
                if low <= channel.excitation <= high and red_low <= channel.emission <= red_high:
                    return stain, (
                        f"excitation {channel.excitation:g} nm and emission {channel.emission:g} nm "
                        f"of channel {channel.name!r}, whose name is no stain's"
                    )
    return None


def chosen_channels(
    channels: Sequence[Channel], chosen: Mapping[Stain, str] | Mapping[Stain | str, str | int]
) -> dict[Stain, Channel]:
    """Resolve a user's ``channels=`` to stains and channels of the plate.

    Raises
    ------
    StainError
        If a stain or a channel does not exist, or one channel is given for two stains.
    """
    given: dict[Stain, Channel] = {}
    for key, value in chosen.items():
        stain = named_stain(key)
        channel = find_channel(channels, value)
        if channel in given.values():
            raise StainError(f"channel {channel.name!r} was given for two stains: each stain needs its own")
        given[stain] = channel
    return given


def named_stain(key: Stain | str) -> Stain:
    """Find the stain that a user names, in any case, or by its dye.

    Raises
    ------
    StainError
        If it is none; lists the five.
    """
    for stain in STAINS:
        if str(key).strip().lower() == stain.value.lower():
            return stain
    if found := Stain.recognise(str(key)):
        return found
    raise StainError(f"{key!r} is not a stain: the five are {_listed([str(s) for s in STAINS])}")


def find_channel(channels: Sequence[Channel], value: str | int) -> Channel:
    """Find the channel a user means by a name (in any case) or a number.

    Raises
    ------
    StainError
        If the plate has no such channel; lists those it has.
    """
    text = str(value).strip().lower()
    for channel in channels:
        if text in {name.lower() for name in (channel.name, *channel.aliases)}:
            return channel
    for channel in channels:
        if channel.number is not None and text == str(channel.number):
            return channel
    names = _listed([c.name for c in channels]) or "none"
    raise StainError(f"the plate has no channel {value!r}: its channels are {names}")


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
