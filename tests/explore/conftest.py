"""Fixtures of screens and models in memory."""

from __future__ import annotations

import pytest

from tests.explore.known_screens import KnownTexts, MemoryScreen


@pytest.fixture(scope="session")
def make_screen():
    return MemoryScreen


@pytest.fixture
def known_texts():
    return KnownTexts
