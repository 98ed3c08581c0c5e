"""The errors of this package: each message says what is wrong, where, and what to do next."""

from __future__ import annotations


class CellClipError(Exception):
    """Anything this package refuses to do, told in one sentence a biologist can act on."""


class PlateError(CellClipError):
    """A plate, a well, a site or an image file that cannot be read as it stands."""


class StainError(PlateError):
    """A plate whose stains are not known, or that lacks a stain which is needed."""


class PlateMapError(CellClipError):
    """A plate map that cannot be read or does not fit its plate."""


class ModelError(CellClipError):
    """Weights, a model card or a tokenizer that cannot be used as they stand."""


class ScreenError(CellClipError):
    """A screen folder that does not match what is asked of it."""


def reason_of(error: BaseException) -> str:
    """Say why the system refused something, without the number and the path that its errors repeat."""
    return str(getattr(error, "strerror", None) or error)
