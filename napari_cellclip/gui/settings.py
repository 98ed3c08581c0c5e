"""The settings of the plugin, stored by napari (manifest: ``configurations``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.vocabulary.user_folders import cache_folder, from_home

PLUGIN = "napari-cellclip"


@dataclass(frozen=True)
class Settings:
    """Choices of the user in napari's preferences.

    Attributes
    ----------
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    batch_size : int
        Crops per pass through the channel encoder; 0: as many as are fastest.
    cache_dir : str
        Folder for screens and samples; empty for the user's cache folder.
    """

    device: str = "auto"
    batch_size: int = 0
    cache_dir: str = ""

    @property
    def cache(self) -> Path:
        """Folder for screens and samples."""
        if self.cache_dir:
            return from_home(self.cache_dir)
        return cache_folder()


def read_settings() -> Settings:
    """Read the settings; defaults where the plugin is not registered with napari."""
    from napari.settings import get_plugin_settings

    try:
        encoding = get_plugin_settings(PLUGIN).encoding
    except (KeyError, AttributeError):  # run from a notebook or a test without the manifest
        return Settings()
    return Settings(encoding.device, encoding.batch_size, encoding.cache_dir)


def write_settings(settings: Settings) -> bool:
    """Store the settings; returns whether napari knows the plugin and could."""
    from napari.settings import get_plugin_settings

    try:
        encoding = get_plugin_settings(PLUGIN).encoding
    except (KeyError, AttributeError):
        return False
    encoding.device = settings.device
    encoding.batch_size = settings.batch_size
    encoding.cache_dir = settings.cache_dir
    return True
