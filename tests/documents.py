"""The documents of psseg: what of them can be run."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["DOCUMENTS", "README", "ROOT", "blocks", "fenced", "psseg_lines"]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def fenced(text):
    """Give language and text of every fenced block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text, language):
    return [block for name, block in fenced(text) if name == language]


def psseg_lines(text):
    joined = text.replace("\\\n", " ")
    return re.findall(r"^\s*(?:\$ )?(?:.*&& )?(psseg .*)$", joined, flags=re.MULTILINE)
