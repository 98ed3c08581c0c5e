"""What is written in the corner of the canvas: which field it is, and what was done to its well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.vocabulary import split_id

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.gui.canvas.field_reading import ReadPanel
    from napari_cellclip.gui.canvas.unmapped_channels import ReadChannels

NOT_MAPPED = "stains not known (Set-up, step 2)"


def caption_of(panel: ReadPanel, table: pd.DataFrame) -> str:
    """Name well, site, treatment, score and plate of a field, a line each.

    Parameters
    ----------
    panel : ReadPanel
        What is drawn.
    table : DataFrame
        Wells of the session.
    """
    site = panel.site
    lines = [f"{site.well} · {panel.what}"]
    if site.well_id in table.index:
        row = table.loc[site.well_id]
        control = " (negative control)" if row["control"] == "negcon" else ""
        lines.append(f"{row['treatment'] or 'no treatment known'}{control}")
        if np.isfinite(row["score"]):
            lines.append(f"score {row['score']:.1f}")
    lines.append(split_id(site.id)[0])
    if panel.problem:
        lines.append(panel.problem)
    return "\n".join(lines)


def channels_caption(read: ReadChannels) -> str:
    """Name a field whose stains are not known, and say where they are chosen."""
    plate, well, number = split_id(read.site.id)
    return "\n".join(
        [f"{well} · site {number} · {plate}", NOT_MAPPED, *([read.problem] * bool(read.problem))]
    )


def unreadable_caption(site: str) -> str:
    """Name a field (id) that cannot be read."""
    plate, well, number = split_id(site)
    return f"{well} · site {number}\ncannot be read\n{plate}"
