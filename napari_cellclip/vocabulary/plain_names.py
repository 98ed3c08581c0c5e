"""Bring names and phrases to one spelling."""

from __future__ import annotations

import re
import unicodedata

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "κ": "kappa",
    "μ": "mu",
    "σ": "sigma",
    "ω": "omega",
}
_SALTS = re.compile(
    r"\b(?:mono|di|tri|hemi)?(?:hydro)?(?:chloride|bromide|sodium|potassium|mesylate|maleate|tartrate|citrate|sulfate|acetate"
    r"|phosphate|fumarate|succinate|tosylate|hydrate|dihydrochloride)\b"
)
_HAND = re.compile(r"^\(?(?:\+/-|[+\-±]|r|s|rs|dl|l|d)\)?-(?=\w)")


def plain(text: str) -> str:
    """Bring a text to one spelling: compatibility forms, Greek letters by name, apostrophes gone."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?i)\bnon[- ](?=\w)", "non", text)
    text = "".join(f" {_GREEK[letter]} " if letter in _GREEK else letter for letter in text)
    # HDACi, PARPi: the field's way of writing "inhibitor".
    text = re.sub(r"\b([A-Z][A-Z0-9]{1,7})i(s?)\b", r"\1 inhibitor", text)
    return re.sub(r"['’`]", "", text).casefold()


def name_key(name: str) -> str:
    """Compound name without case, punctuation, salts and marks of handedness.

    Examples
    --------
    >>> name_key("Y-27632 dihydrochloride") == name_key("y27632")
    True
    """
    text = _SALTS.sub(" ", plain(name)).strip()
    return re.sub(r"[^a-z0-9]", "", _HAND.sub("", text)) or re.sub(r"\W", "", plain(name))
