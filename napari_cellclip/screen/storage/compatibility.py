"""Check whether a run may go on in a screen folder; say which of data, weights or preprocessing changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.screen.storage.files import exists, is_local, names_in
from napari_cellclip.screen.storage.processing import processing_key
from napari_cellclip.screen.storage.screen_json import FILE, CardRecord, PlateRecord, ScreenRecord
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.model import ModelCard
    from napari_cellclip.plates import Plate

_PREPROCESSING = ("intensity", "tiling", "stain_order", "encoder.mean", "encoder.std")
_WEIGHTS = ("encoder",)
SHOWN = 3


def record_with_card(folder: Path, card: ModelCard, origin: str) -> ScreenRecord:
    """Record of a screen folder with this card as the one it shows; nothing is written.

    Parameters
    ----------
    folder : Path
        A screen, or a new or empty folder.
    card : ModelCard
        Its channel encoder must be that of the screen.
    origin : str
        What to give ``load_model`` for the model of this card.

    Raises
    ------
    ScreenError
        If the encoder differs, or the folder holds something else.
    """
    from napari_cellclip import __version__

    own = CardRecord(card=card.model_dump(mode="json"), origin=origin, encoder_hash=card.encoder_hash)
    if exists(folder / FILE):
        record = ScreenRecord.read(folder)
        require_same_encoder(record, card)
        cards = {**record.cards, card.card_hash: own}
        return record.model_copy(update={"cards": cards, "card_hash": card.card_hash, "version": __version__})
    # A run killed before its first record leaves at most the plan of a plate behind.
    if {name for name in names_in(folder) if not name.startswith(".")} - {"plates"}:
        raise ScreenError(f"{folder} holds other files and no screen: give a new or an empty folder")
    if is_local(folder) and folder.exists() and not folder.is_dir():
        raise ScreenError(f"{folder} is a file: give a folder for the screen")
    return ScreenRecord(version=__version__, card_hash=card.card_hash, cards={card.card_hash: own})


def require_same_encoder(record: ScreenRecord, card: ModelCard) -> None:
    """Refuse a card whose channel encoder or preprocessing differ from those of the screen.

    Raises
    ------
    ScreenError
        Names what differs, with the value the screen has and the one given.
    """
    known = record.current
    if card.encoder_hash == known.encoder_hash:
        return
    before, after = _flat(known.card), _flat(card.model_dump(mode="json"))
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    preprocessing = [key for key in changed if key.startswith(_PREPROCESSING)]
    weights = [key for key in changed if key.startswith(_WEIGHTS) and key not in preprocessing]
    reasons = [
        f"{kind} changed ({'; '.join(f'{k}: {before.get(k)} -> {after.get(k)}' for k in keys[:SHOWN])})"
        for kind, keys in (("the channel encoder's weights", weights), ("preprocessing", preprocessing))
        if keys
    ]
    if not reasons:  # same card, other hash: how hashes are made belongs to the program
        reasons = [f"the program's version changed ({record.version}) and hashes cards in another way"]
    advice = "encode into a new folder"
    if card.encoder.kind == "profile" and _profiles(known.card):
        advice = (
            "a head trained step by step reads its own features only: train one in closed form"
            " (napari-cellclip train --closed-form), which derive fits to the features of any screen, or"
            " import the tables of both together (import-profiles --shared) and train a head on them"
        )
    raise ScreenError(
        f"this folder was encoded with {known.card.get('name', 'another model')!r} and cannot go on with "
        f"{card.name!r}: {', and '.join(reasons)}; {advice}"
    )


def _profiles(card: Mapping[str, Any]) -> bool:
    return (card.get("encoder") or {}).get("kind") == "profile"


def require_same_plate(
    name: str,
    record: PlateRecord,
    plan: pd.DataFrame,
    plate: Plate,
    states: Mapping[str, str],
    now: pd.DataFrame,
    *,
    may_change: set[str],
) -> None:
    """Refuse a plate whose stains, sites or files differ from those the screen began with.

    Parameters
    ----------
    name : str
        Of the plate.
    record, plan : PlateRecord, DataFrame
        What the screen began with; the plan is indexed by site id and has ``Metadata_files``.
    plate, states, now : Plate, mapping of str to str, DataFrame
        The plate given, the states of its files, and its plan.
    may_change : set of str
        Sites whose files may have changed (failed ones about to be tried again).

    Raises
    ------
    ScreenError
        Names what differs.
    """
    if plate.time != record.time:  # files may be the same: an array holds all time points
        raise _refusal(
            name, f"time point {record.time} of it was encoded, and this is time point {plate.time}"
        )
    given = {stain: str(channel) for stain, channel in plate.stains.channels.items()}
    if given != record.stains:
        other = [
            f"{s}: {record.stains.get(s)} -> {given.get(s)}"
            for s in sorted(given.keys() | record.stains.keys())
            if given.get(s) != record.stains.get(s)
        ]
        raise _refusal(name, f"the channels of its stains changed ({'; '.join(other)})")
    if plate.processing.key != processing_key(record):
        before, after = (key or "as acquired" for key in (processing_key(record), plate.processing.key))
        raise _refusal(name, f"its images are made in another way than before ({before} -> {after})")
    if plate.fingerprint(states) == record.fingerprint:
        return
    gone, new = plan.index.difference(now.index), now.index.difference(plan.index)
    if len(gone) or len(new):
        some = ", ".join([*gone[:SHOWN], *new[:SHOWN]])
        raise _refusal(name, f"the data changed: {len(gone)} sites are gone and {len(new)} are new ({some})")
    files = now["Metadata_files"].reindex(plan.index)
    changed = [site for site in plan.index[files != plan["Metadata_files"]] if site not in may_change]
    if changed:
        some = ", ".join(changed[:SHOWN])
        raise _refusal(
            name, f"the data changed: files of {len(changed)} sites are others than before ({some})"
        )


def require_alike(plate: Plate, record: ScreenRecord) -> None:
    """Refuse a plate whose illumination is corrected where that of the screen's other plates is not.

    Raises
    ------
    ScreenError
        Such plates could not be compared.
    """
    corrected = plate.processing.illumination is not None
    for name, other in record.plates.items():
        if (other.illumination is not None) != corrected:
            this, that = ("is", "is not") if corrected else ("is not", "is")
            raise ScreenError(
                f"the illumination of plate {plate.name} {this} corrected and that of plate {name} {that}:"
                " correct both or none, for they could not be compared; or encode into another folder"
            )


def require_same_weights(screen: str, mine: ModelCard, other: ModelCard) -> None:
    """Refuse a model whose CellCLIP weights are not those that embedded a screen's wells.

    The channel encoder is not compared: it plays no part in what is asked of a screen.

    Raises
    ------
    ScreenError
        Names both models.
    """
    if mine.card_hash == other.card_hash:
        return
    bytes_alike = bool(mine.weights.sha256) and mine.weights.sha256 == other.weights.sha256
    if not bytes_alike or (mine.pooling, mine.heads) != (other.pooling, other.heads):
        raise ScreenError(
            f"screen {screen} was embedded by {mine.name!r} ({mine.card_hash}) with other weights than"
            f" {other.name!r} ({other.card_hash}): use that model, or encode again with this one"
        )


def _refusal(name: str, why: str) -> ScreenError:
    return ScreenError(
        f"plate {name} is in this folder already and cannot go on: {why}; encode into a new folder, "
        "or give another plate another name"
    )


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mapping as one level, keys joined by dots; lists are values."""
    out: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return out
