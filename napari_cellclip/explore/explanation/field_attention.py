"""How much each field of a well counts in its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from napari_cellclip.explore.asked_screen import own_model, require_uncorrected
from napari_cellclip.vocabulary import STAINS, ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen


def field_attention(screen: Screen, well: str, model: Model | None = None) -> pd.DataFrame:
    """Compute how much each field of a well counts in its embedding, stain by stain.

    Parameters
    ----------
    screen : Screen
        With the features of this well's fields.
    well : str
        Id.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.

    Returns
    -------
    DataFrame
        One row per encoded field (index: site id), one column per stain in the order of ``STAINS``; each
        column adds up to 1, or to 0 where a stain is blank throughout. Without attention in the model all
        fields with that stain count alike.

    Raises
    ------
    ScreenError
        If the well has no encoded field.
    CellClipError
        If the model takes the median over fields, of which none has a share.
    """
    require_uncorrected(screen, "explanations")
    model = own_model(screen, model)
    sites = encoded_sites(screen, [well]).get(well)
    if not sites:
        raise ScreenError(f"well {well} has no encoded field: there is nothing to weigh")
    shares = model.pooling_weights(screen.features(sites))
    order = [model.card.stain_order.index(stain) for stain in STAINS]
    columns = [str(stain) for stain in STAINS]
    return pd.DataFrame(shares[:, order], index=pd.Index(sites, name="site_id"), columns=columns)


def encoded_sites(screen: Screen, wells: Sequence[str]) -> dict[str, list[str]]:
    """Find the encoded sites of each of these wells that has any."""
    unknown = [well for well in wells if well not in screen.wells.index]
    if unknown:
        raise ScreenError(f"screen {screen.name} has no well {unknown[0]!r}")
    fields = screen.fields
    mine = fields[fields["Metadata_Well_id"].isin(wells)]
    return {str(well): list(rows.index) for well, rows in mine.groupby("Metadata_Well_id", sort=False)}
