"""The cache folder on each system."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from napari_cellclip.gui.settings import Settings
from napari_cellclip.vocabulary.user_folders import cache_folder, from_home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder without any setting that moves the cache."""
    for name in ("NAPARI_CELLCLIP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("system", "below_home"), [(Unix, ".cache/napari-cellclip"), (MacOS, "Library/Caches/napari-cellclip")]
)
def test_where_the_system_wants_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, system: type, below_home: str
) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", system)
    assert cache_folder() == home / below_home


def test_windows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import windows

    local = r"C:\Users\Ada\AppData\Local"
    monkeypatch.setattr(windows, "get_win_folder", lambda name: {"CSIDL_LOCAL_APPDATA": local}[name])
    monkeypatch.setattr(windows.os.path, "normpath", lambda path: path)
    monkeypatch.setattr(windows.os.path, "join", lambda *parts: "\\".join(parts))
    monkeypatch.setattr(platformdirs, "PlatformDirs", windows.Windows)
    found = PureWindowsPath(str(cache_folder()))
    assert found == PureWindowsPath(local, "napari-cellclip", "Cache")


def test_the_cache_of_earlier_versions_on_linux_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", Unix)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert cache_folder() == home / "xdg" / "napari-cellclip"


def test_the_variable_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", "~/elsewhere")
    assert cache_folder() == home / "elsewhere"
    assert Settings().cache == home / "elsewhere"
    assert Settings(cache_dir="~/mine").cache == home / "mine"


def test_paths_are_read_as_a_shell_does(home: Path) -> None:
    assert from_home("~/plates") == home / "plates"
    assert from_home(Path("~")) == home
    # What Excel leaves beside a table that is open: nobody is called so.
    assert from_home("~$platemap.xlsx") == Path("~$platemap.xlsx")
    assert from_home("plates/~") == Path("plates/~")
