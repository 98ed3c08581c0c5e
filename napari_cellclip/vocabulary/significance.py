"""What is accepted as significant where nobody says otherwise."""

from __future__ import annotations

FDR = 0.05
"""False-discovery rate that is accepted if none is given."""
