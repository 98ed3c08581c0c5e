"""The pictures that the pages show, made small enough for a repository."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtGui import QImage

PAGES = {
    "1600x1000-dark-hits": "explorer",
    "1280x800-light-hits": "explorer_1280",
    "1920x1080-light-hits": "explorer_1920",
    "1280x800-200-dark-hits": "explorer_200",
    "1280x800-dark-first-set-up": "explorer_first",
    "1600x1000-dark-thumbnails": "explorer_colours",
    "1280x800-dark-simulated-384-on-canvas": "explorer_plate",
    "1280x800-light-three-plates-side-by-side": "explorer_plates",
    "1280x800-dark-lasso": "explorer_lasso",
    "1280x800-light-map-on-canvas": "explorer_map",
    "1280x800-dark-hits-unfolded": "explorer_hits",
    "1280x800-light-gallery": "explorer_gallery",
    "1280x800-dark-why": "explorer_why",
    "1280x800-light-describe": "explorer_describe",
    "1280x800-dark-profiles-references": "explorer_references",
    "1280x800-light-qc": "explorer_qc",
    "1280x800-dark-img_cpjump1_treated": "explorer_unmapped",
    "1280x800-light-plate-map-dialog": "explorer_columns",
    "1280x800-dark-set-up-encode": "explorer_encode",
    "1280x800-light-error": "explorer_error",
    "1280x800-dark-quit": "explorer_quit",
    "1280x800-dark-text-query": "explorer_text_query",
    "1280x800-light-img_cpjump1_treated-mapped": "explorer_cpjump1",
    "1280x800-dark-img_cpjump1_treated-versus": "explorer_versus",
    "1280x800-dark-img_bray2017_plate24279": "explorer_bray",
    "1280x800-dark-img_jump_rab30": "explorer_jump",
    "1280x800-light-img_cpjump1_BR00117006": "explorer_three_channels",
}
"""Names of pictures, without their suffix, and what they are called in docs/images."""

QUALITY = 80


def write_pages(taken: Path, images: Path) -> None:
    """Write the pictures of the pages as WebP; those that were not taken are named, and stay as they are."""
    for name, title in PAGES.items():
        source = taken / f"{name}.png"
        if not source.exists():
            print(f"not taken: {name}", flush=True)
            continue
        QImage(str(source)).save(str(images / f"{title}.webp"), "WEBP", QUALITY)
