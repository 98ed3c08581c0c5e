"""Mutations of good files: JSON, text and bytes as damage, accidents and malice leave them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVIL_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    10**18,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    "../../up",
    "/etc/passwd",
    "9" * 5000,
    "\ud800",
    "²",
    [],
    {},
    [1],
    [None],
    {"a": 1},
    [[]],
    [-1, -1, -1],
    [10**9] * 4,
]
"""In place of whatever a JSON file holds."""

EVIL_WORDS = [
    b"", b"-1", b"0", b"1e999", b"nan", b"9" * 5000, b"10000000000000000000", b"\x00", b"\xff\xfe", b"../..",
    "²".encode(), b"x", b"<", b'"', b",", b"\n", b"2147483648", b"0.5", b"1 2",
]  # fmt: skip
"""In place of a word or number of a text file."""

DEEP = 100_000
"""Levels of nesting that no parser survives by recursion."""


def mutated_json(text: bytes, rng: random.Random) -> bytes:
    """Change, remove or repeat one value anywhere in a JSON document."""
    document = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                collect(node[key])

    if isinstance(document, dict | list):
        collect(document)
    if not places or rng.random() < 0.03:
        return json.dumps(rng.choice(EVIL_VALUES)).encode()
    node, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.1:
        del node[key]
    elif kind < 0.2 and isinstance(node, list):
        node.insert(0, node[key])
    else:
        node[key] = rng.choice(EVIL_VALUES)
    return json.dumps(document).encode()


def mutated_text(text: bytes, rng: random.Random) -> bytes:
    """Replace one word or number of a text by something that does not belong there."""
    words = list(re.finditer(rb"[A-Za-z]+|\d+(?:\.\d+)?|[<>\",;=/]", text))
    if not words:
        return rng.choice(EVIL_WORDS)
    word = rng.choice(words)
    return text[: word.start()] + rng.choice(EVIL_WORDS) + text[word.end() :]


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, repeat or overwrite a part of a file."""
    if not content:
        return b"\0"
    place, size = rng.randrange(len(content)), rng.choice([1, 2, 4, 8, 64])
    kind = rng.randrange(5)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + size :]
    if kind == 2:
        return content[:place] + rng.choice([b"\xff", b"\0", b"\x7f"]) * size + content[place + size :]
    if kind == 3:
        return content[:place] + content[place : place + size] * 2 + content[place + size :]
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def deep(kind: str) -> bytes:
    """A document of a kind that is nested deeper than any reader's stack."""
    return {
        "json": b"[" * DEEP,
        "object": b'{"a":' * DEEP,
        "toml": b"a = " + b"[" * DEEP,
        "yaml": b"{a: " * DEEP,
        "xml": b"<a>" * DEEP,
    }[kind]


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "json": mutated_json,
    "text": mutated_text,
    "bytes": mutated_bytes,
}

JSON_NAMES = (".json", ".zattrs", ".zarray", ".zgroup")
TEXT_NAMES = (
    ".xml",
    ".csv",
    ".txt",
    ".htd",
    ".xdce",
    ".mlf",
    ".mrf",
    ".mes",
    ".wpi",
    ".toml",
    ".yaml",
    ".tsv",
)


def mutate(path: Path, rng: random.Random) -> None:
    """Mutate a file in the way that gets furthest into its reader, or at times in any other."""
    content = path.read_bytes()
    name = path.name.lower()
    kind = "json" if name.endswith(JSON_NAMES) else "text" if name.endswith(TEXT_NAMES) else "bytes"
    if rng.random() < 0.1:
        kind = "bytes"
    path.write_bytes(MUTATIONS[kind](content, rng))
