"""Two copies of LLVM in one process."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

import pytest

from napari_cellclip.model import triton_mesa


@pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="only the GNU loader can do this")
@pytest.mark.parametrize(
    ("maps", "expected"), [("/usr/lib/libLLVM-15.so.1", True), ("/usr/lib/libc.so.6", False)]
)
def test_triton_is_loaded_apart_only_beside_another_llvm(maps, expected, monkeypatch, tmp_path):
    (tmp_path / "_C").mkdir()
    (tmp_path / "_C" / "libtriton.so").touch()
    (tmp_path / "maps").write_text(maps)
    loaded = []
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setattr(triton_mesa, "MAPS", tmp_path / "maps")
    triton = ModuleSpec("triton", None, is_package=True)
    triton.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(triton_mesa.importlib.util, "find_spec", {"triton": triton}.get)
    monkeypatch.setattr(triton_mesa.ctypes, "CDLL", lambda path, mode: loaded.append((path, mode)))
    assert triton_mesa.isolate_triton_from_mesa() is expected
    assert bool(loaded) is expected
    assert all(mode & os.RTLD_DEEPBIND for _, mode in loaded)
