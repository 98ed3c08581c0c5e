"""Threads of the window that ask a screen at once get one and the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import napari_cellclip.model
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, encode, screen_tables
from tests.tiny import tiny_model, write_tiff_plate


@pytest.fixture
def opened(tmp_path) -> Screen:
    encode(open_plate(write_tiff_plate(tmp_path / "P1")), None, tiny_model(), tmp_path / "screen")
    return Screen.open(tmp_path / "screen")


def at_once(ask, threads=4):
    """What `ask` returns to threads that start together."""
    ready = threading.Barrier(threads)

    def wait_and_ask(_):
        ready.wait()
        return ask()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_ask, range(threads)))


def test_the_model_is_loaded_once(opened, monkeypatch) -> None:
    loaded, model = [], tiny_model()
    second = threading.Event()

    def load_model(origin):
        loaded.append(origin)
        second.wait(0.2)  # time for another thread to begin as well
        return model

    monkeypatch.setattr(napari_cellclip.model, "load_model", load_model)
    assert at_once(lambda: opened.model) == [model] * 4
    assert loaded == [model.card.name]


def test_tables_can_be_read_while_the_model_loads(opened, monkeypatch) -> None:
    loading, read = threading.Event(), threading.Event()

    def load_model(origin):
        loading.set()
        assert read.wait(30), "the tables waited for the model"
        return tiny_model()

    monkeypatch.setattr(napari_cellclip.model, "load_model", load_model)
    with ThreadPoolExecutor(1) as pool:
        model = pool.submit(lambda: opened.model)
        assert loading.wait(30)
        assert len(opened.wells) == len(opened.embeddings) == 3
        read.set()
        assert model.result().card.name == "tiny"


def test_a_table_is_read_once(opened, monkeypatch) -> None:
    real, reads = screen_tables.read_vectors, []

    def read_vectors(path, dim):
        reads.append(path)
        threading.Event().wait(0.05)
        return real(path, dim)

    monkeypatch.setattr(screen_tables, "read_vectors", read_vectors)
    found = at_once(lambda: opened.embeddings)
    assert len(reads) == 1
    assert all(array is found[0] for array in found)
