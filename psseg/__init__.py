"""psseg: γ-ray and radio sky maps in, classified source catalogues out."""

from __future__ import annotations

__version__ = "0.1.0"
