"""Pieces of made-up plates: pixels a test knows again, and a Phenix index."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# As a Phenix operator names them, with excitation and emission in nm (img_pe2loaddata_phenix).
PHENIX_CHANNELS = {
    1: ("Alexa 647", 640, 706),
    2: ("Alexa 568", 561, 599),
    3: ("488 long", 488, 599),
    4: ("Alexa 488", 488, 522),
    5: ("HOECHST 33342", 405, 456),
    6: ("Brightfield", 740, 0),
}


def level(row: int, column: int, field: int, channel: int) -> int:
    """Grey level by which a test knows a plane again."""
    return row * 1000 + column * 100 + field * 10 + channel


def image(value: int, shape: tuple[int, int] = (6, 8), dtype: str = "uint16") -> np.ndarray:
    """A plane that differs from pixel to pixel, starting at ``value``."""
    return (value + np.arange(shape[0] * shape[1]).reshape(shape)).astype(dtype)


def phenix_index(
    wells: Iterable[tuple[int, int]],
    fields: int,
    channels: dict[int, tuple[str, int, int]],
    shape: tuple[int, int] = (16, 24),
    head: str = "",
    name: str = "BR1",
) -> str:
    """Text of an Index.idx.xml as Harmony writes it, with the elements the reader must find."""
    wells = list(wells)
    entries = [(r, c, f, ch) for r, c in wells for f in range(1, fields + 1) for ch in channels]
    listed = "".join(f'<Image id="{r:02d}{c:02d}K1F{f}P1R{ch}" />' for r, c, f, ch in entries)
    images = "".join(
        f"<Image Version='1'><id>{r:02d}{c:02d}K1F{f}P1R{ch}</id><State>Ok</State>"
        f"<URL>r{r:02d}c{c:02d}f{f:02d}p01-ch{ch}sk1fk1fl1.tiff</URL><Row>{r}</Row><Col>{c}</Col>"
        f"<FieldID>{f}</FieldID><PlaneID>1</PlaneID><ChannelID>{ch}</ChannelID>"
        f"<ChannelName>{channels[ch][0]}</ChannelName>"
        f'<ImageResolutionX Unit="m">5.98E-07</ImageResolutionX><PositionX Unit="m">{f}E-04</PositionX>'
        f'<PositionY Unit="m">-{f}E-04</PositionY>'
        f"<MainExcitationWavelength>{channels[ch][1]}</MainExcitationWavelength>"
        f"<MainEmissionWavelength>{channels[ch][2]}</MainEmissionWavelength></Image>"
        for r, c, f, ch in entries
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{head}'
        '<EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">'
        f"<Plates><Plate><PlateID>{name}</PlateID><Name>{name}</Name><PlateRows>{shape[0]}</PlateRows>"
        f"<PlateColumns>{shape[1]}</PlateColumns></Plate></Plates>"
        f"<Wells><Well>{listed}</Well></Wells><Images>{images}</Images></EvaluationInputData>"
    )
