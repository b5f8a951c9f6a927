"""Text for a fixed number of cells: harmless whatever it says, and readable without colour.

Names of agents, headlines and reasons come from outside. What would steer a terminal is made
visible before anything is drawn: control characters, marks of direction, endless accents.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.cells import cell_len, set_cell_size

BARS = "▁▂▃▄▅▆▇█"
NOTHING = "–"
"""Shown where there is no value: an absent figure is never a zero."""

_ACCENTS = 2
"""Combining marks kept one after another; more would grow out of their line."""
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}


def harmless(text: str) -> str:
    """``text`` on one line, with everything that steers a terminal or hides made visible."""
    if text.isascii() and text.isprintable():
        return text
    return _harmless(text)


@lru_cache(maxsize=4096)
def _harmless(text: str) -> str:
    kept: list[str] = []
    accents = 0
    for letter in text:
        category = unicodedata.category(letter)
        accents = accents + 1 if category in ("Mn", "Me") else 0
        if accents > _ACCENTS:
            continue
        if category == "Cc":
            kept.append(_PICTURES.get(ord(letter), "\ufffd"))
        elif category in ("Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            kept.append("\ufffd")
        else:
            kept.append(letter)
    return "".join(kept)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Exactly ``width`` cells; what is too long ends in an ellipsis."""
    shown = harmless(text)
    if shown.isascii():
        if len(shown) > width:
            return shown[: width - 1] + "…" if width > 0 else ""
        return shown.rjust(width) if right else shown.ljust(width)
    length = cell_len(shown)
    if length > width:
        return set_cell_size(shown, width - 1) + "…" if width > 0 else ""
    gap = " " * (width - length)
    return gap + shown if right else shown + gap


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken at spaces where that is possible."""
    lines: list[str] = []
    line = ""
    for word in harmless(text).split(" "):
        while cell_len(word) > width:
            head = set_cell_size(word, width)
            lines += [line] if line else []
            lines.append(head.rstrip())
            line, word = "", word[max(1, len(head.rstrip())) :]
        if not line:
            line = word
        elif cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The last ``width`` values as bars between their own lowest and highest; gaps stay gaps."""
    shown = list(values[-width:]) if width > 0 else []
    there = [value for value in shown if value is not None and math.isfinite(value)]
    if not there:
        return " " * width
    low, high = min(there), max(there)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    bars = [
        BARS[round((value - low) * scale) if scale else len(BARS) // 2 - 1]
        if value is not None and math.isfinite(value)
        else " "
        for value in shown
    ]
    return "".join(bars).rjust(width)


def gauge(share: float, width: int) -> str:
    """A bar of ``width`` cells that is full at 1; more than 1 stays full."""
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "░" * (width - full)


def number(value: object, digits: int = 2, *, signed: bool = False) -> str:
    """``value`` with ``digits`` decimals and thousands apart; a dash where there is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    return f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"


def price(value: object) -> str:
    """A price with the digits it came with, at least two, thousands apart."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    _, _, digits = f"{value:.8f}".rstrip("0").partition(".")
    return f"{value:,.{max(2, len(digits))}f}"


def share(value: object, digits: int = 1, *, signed: bool = False) -> str:
    """A ratio in per cent; a dash where there is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    return f"{100 * value:+.{digits}f}%" if signed else f"{100 * value:.{digits}f}%"


def age(milliseconds: float) -> str:
    """How long ago, in two or three characters and a unit."""
    seconds = max(0.0, milliseconds) / 1000
    if seconds < 1:
        return "<1s"
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"


def held_up(top: Mapping[str, Any]) -> str:
    """That the swarm owes an answer, and since when."""
    why = "an agent may be holding it up" if top.get("tick") else "it is warming up"
    return f"The swarm has not answered for {top.get('held', 0)} s, {why}"
