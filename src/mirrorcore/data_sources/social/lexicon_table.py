"""The lexicon's words made ready for look-up: forms spelt out, phrases by their first word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from mirrorcore.data_sources.social import lexicon_words as words

_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Entry:
    """One phrase: what it says and what part it plays in the sentence."""

    phrase: tuple[str, ...]
    valence: float = 0.0
    event: str = ""
    move: bool = False
    turns: bool = False
    actor: bool = False
    act: bool = False


Table = dict[str, tuple[Entry, ...]]
"""First word of a phrase to the entries that begin with it, longest first."""


def forms(marked: str) -> list[str]:
    """A word and, where it is marked by ``~``, its regular forms of the verb."""
    base = marked.rstrip("~")
    marks = len(marked) - len(base)
    if not marks:
        return [base]
    if marks == 2:
        return [base, f"{base}s", f"{base}{base[-1]}ed", f"{base}{base[-1]}ing"]
    if base.endswith("e"):
        return [base, f"{base}s", f"{base}d", f"{base[:-1]}ing"]
    if base.endswith("y") and base[-2] not in _VOWELS:
        return [base, f"{base[:-1]}ies", f"{base[:-1]}ied", f"{base}ing"]
    plural = "es" if base.endswith(("s", "x", "z", "ch", "sh", "o")) else "s"
    return [base, base + plural, f"{base}ed", f"{base}ing"]


def phrases(text: str) -> list[tuple[str, ...]]:
    """The phrases of a list divided by commas, in all their forms."""
    found = []
    for part in text.split(","):
        split = part.split()
        marked = next((place for place, word in enumerate(split) if word.endswith("~")), None)
        if marked is None:
            found.append(tuple(split))
            continue
        for form in forms(split[marked]):
            found.append((*split[:marked], form, *split[marked + 1 :]))
    return found


@cache
def table() -> Table:
    """Every phrase of :mod:`lexicon_words`, by its first word.

    A phrase that turns over and also bears a sign is one entry with both.
    """
    entries: dict[tuple[str, ...], Entry] = {}
    for phrase in phrases(words.ACTORS):
        entries[phrase] = Entry(phrase, actor=True)
    for phrase in phrases(words.ACTS):
        entries[phrase] = Entry(phrase, act=True)
    for group in (*words.VALUED, *words.TURNERS):
        for phrase in phrases(group.words):
            before = entries.get(phrase)
            entries[phrase] = Entry(
                phrase,
                valence=group.valence,
                event=group.event or (before.event if before else ""),
                move=group.move,
                turns=group.turns,
                actor=bool(before and before.actor),
                act=bool(before and before.act),
            )
    by_first: dict[str, list[Entry]] = {}
    for entry in entries.values():
        by_first.setdefault(entry.phrase[0], []).append(entry)
    return {
        first: tuple(sorted(found, key=lambda entry: (-len(entry.phrase), entry.phrase)))
        for first, found in by_first.items()
    }
