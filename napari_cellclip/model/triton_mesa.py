"""Keeps two copies of LLVM in one process from calling each other.

Mesa, which draws the canvas on most Linux machines without an NVIDIA driver, loads ``libLLVM`` for all to
see; Triton, which comes with torch for CUDA, has its own LLVM inside. Loaded after Mesa, Triton calls Mesa's
and the whole program ends with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

MAPS = Path("/proc/self/maps")


def isolate_triton_from_mesa() -> bool:
    """Load Triton so that it prefers its own LLVM, if Mesa's is here first; call it before torch is used.

    Returns
    -------
    bool
        Whether there was anything to do.
    """
    if not hasattr(os, "RTLD_DEEPBIND") or "triton" in sys.modules or not _llvm_is_loaded():
        return False
    found = importlib.util.find_spec("triton")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        for library in Path(folder, "_C").glob("libtriton*.so"):
            ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
            return True
    return False


def _llvm_is_loaded() -> bool:
    try:
        return "libLLVM" in MAPS.read_text()
    except OSError:
        return False
