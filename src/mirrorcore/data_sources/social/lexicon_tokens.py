"""A title taken apart: its words, numbers and breaks, and what stands behind a possessive."""

from __future__ import annotations

import re

from mirrorcore.data_sources.social import lexicon_words as words

LONGEST_TITLE = 400
"""Characters that are read; a headline is shorter, and work on a text must have a bound."""
_TOKEN = re.compile(
    r"\$?\d[\d,.]*\+?%?\+?|[a-z]+(?:[-'.][a-z]+)*|\$|[?;:,]|[-–—]{1,2}(?=\s)|[.!](?=\s)"
)
_HALF_DASH = re.compile(r" [\x93-\x97] ")
"""Dashes that lost their first bytes on the way to a recording."""
_OWNED = re.compile(r"(?<!here)(?<!that)(?<!it)(?<!what)(?:'s|s')\s+([a-z]+)")
BREAKS = frozenset("?;:,.!–—") | {"-", "--", "––", "——"}
"""Where a clause ends."""


def tokens_of(title: str) -> list[str]:
    """The words, numbers and breaks of a title, folded; possessives and hyphens taken apart."""
    found: list[str] = []
    for token in _TOKEN.findall(_folded(title)):
        if token.endswith("'s"):
            token = token[:-2]
        if "-" in token and len(token) > 2 and token not in words.BOOSTERS:
            found.extend(part for part in token.split("-") if part)
        elif token[0] == "$" and len(token) > 1:
            found += ["$", token[1:]]
        else:
            found.append(token)
    return found


def _folded(title: str) -> str:
    """As much of a title as is read, in small letters, with one kind of apostrophe and of dash."""
    folded = title[:LONGEST_TITLE].lower().replace("’", "'").replace("‘", "'")
    return _HALF_DASH.sub(" – ", folded)


def owned_in(title: str) -> frozenset[str]:
    """Words that stand directly behind a possessive."""
    return frozenset(_OWNED.findall(_folded(title)))
