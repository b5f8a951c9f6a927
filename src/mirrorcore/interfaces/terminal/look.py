"""What things look like: shape and word first, colour last, so that nothing is lost without it.

The three colours are told apart by every kind of colour blindness (Okabe and Ito, 2008).
"""

from __future__ import annotations

from rich.style import Style

OK = Style(color="#56b4e9")
WARN = Style(color="#e69f00")
BAD = Style(color="#ff8552", bold=True)
DIM = Style(color="#8a8f98")
BOLD = Style(bold=True)
HEADER = Style(bold=True, underline=True)
SELECTED = Style(reverse=True)
CURSOR = Style(bgcolor="#23405f", bold=True)
"""The row under the cursor keeps its colours; a bar before it shows where it is without any."""
UP = OK
DOWN = Style(color="#e69f00")

SHAPES = {"ok": "●", "warn": "▲", "bad": "■"}
STYLES = {"ok": OK, "warn": WARN, "bad": BAD}

HEALTHY = 0.8
POORLY = 0.4
"""The bounds of the wire: at least .8 is well, at least .4 a warning, below that bad."""


def health_word(health: float) -> str:
    """``ok``, ``warn`` or ``bad``: the word that stands beside the number."""
    return "ok" if health >= HEALTHY else "warn" if health >= POORLY else "bad"


def health_cell(health: object) -> tuple[str, Style | None]:
    """Shape, word and number; said as unknown where there is none."""
    if not isinstance(health, int | float):
        return "○ none", DIM
    word = health_word(health)
    return f"{SHAPES[word]} {word:<4} {health:.2f}", STYLES[word]
