"""The kinds of long work of a viewer, and how far each is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """The kinds of work that take time; of each kind only the newest request counts."""

    OPEN = "open"
    SAMPLE = "sample"
    CHANNELS = "channels"
    ENCODE = "encode"
    ASK = "ask"
    MAP = "map"
    FIELD = "field"
    MAP_PICTURE = "map picture"
    EXPLAIN = "explain"
    TILES = "tiles"
    DESCRIBE = "describe"
    EXPORT = "export"
    REFERENCES = "references"
    MECHANISMS = "mechanisms"
    GALLERY = "gallery"
    FETCH = "fetch"
    QUALITY = "quality"
    INSTALL = "install"


@dataclass(frozen=True)
class Work:
    """Progress of a piece of work, and its stage; ``total`` is 0 where that is not known."""

    message: str = ""
    done: int = 0
    total: int = 0
    failures: int = 0
    stage: str = ""
