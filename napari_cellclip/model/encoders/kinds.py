"""The kinds of channel encoders: a new one is a file beside this and a line here.

Torch and the libraries of the networks are imported when an encoder is loaded, not when a card is read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderKind:
    """Functions that find and load channel encoders of one kind.

    Attributes
    ----------
    module : str
        File of this folder with ``load(card, source, size)``: from the card, the path of the files and the
        side of the crops in pixels to a module that maps crops [N, 1, H, W] in 0..1 to features [N, dim].
    beside : str
        File that must lie in the same folder as the weights; empty where the weights are all.
    """

    module: str
    beside: str = ""


ENCODER_KINDS: dict[str, EncoderKind] = {
    "dinov2": EncoderKind("transformers_encoder", beside="config.json"),
    "vit": EncoderKind("transformers_encoder", beside="config.json"),
    "clip": EncoderKind("transformers_encoder", beside="config.json"),
    "siglip": EncoderKind("transformers_encoder", beside="config.json"),
    "timm": EncoderKind("timm_encoder"),
    "small": EncoderKind("small_encoder"),
    "profile": EncoderKind("profile_encoder"),
}
"""By the ``kind`` of an encoder card."""
