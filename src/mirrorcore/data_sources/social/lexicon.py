"""The market lexicon: the tone of a headline from words, and from how the words stand together.

A title is cut into clauses; phrases of :mod:`lexicon_words` are found in it, the longest first;
each contributes its valence,

* made stronger or weaker by the word before it and, for a movement, by a percentage beside it
  (times 1 + min(p, 100) / 100);
* turned over where a negation or a reversal stands at most four words before it in its clause;
* weakened to a fifth in a clause that concedes ("despite the crash") or comes before a "but";
* weakened in a question, in a title that explains, in one that names no asset, in one that tells
  what somebody says or what may be, and in one whose words say that a market is only its setting;
* weakened where it is only spoken of ("Terra's collapse", "a ban idea"), where it is over, where it
  is one person's own or what a burden does ("fears rise");
* weakened where it is a noun that names a movement without telling that it happens, where it is
  all that a title says, and where a title says good and bad side by side.

Of the sum s the part |s| / (|s| + 1.15) is believed, and tanh brings it within -1..1: what a single
clause says never grows fainter as its intensity grows. Pure and deterministic; what it cannot see
is listed in ``docs/sentiment.md``.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from mirrorcore.data_sources.social import lexicon_words as words
from mirrorcore.data_sources.social.lexicon_symbols import symbols_of
from mirrorcore.data_sources.social.lexicon_table import Entry, Table, table
from mirrorcore.data_sources.social.lexicon_tokens import (
    BREAKS,
    LONGEST_TITLE,
    owned_in,
    tokens_of,
)
from mirrorcore.data_sources.social.scorer import Score

WINDOW = 4
"""Words between a turner and what it may turn over."""
BESIDE = 4
"""Words between a movement and its percentage."""
TURNED = -0.85
"""A thing denied is a little less than its opposite."""
AVERTED = -0.2
"""A bad thing that is not, or a bad event averted, is no good one: a hack denied, "no collapse"."""
CONCEDED = 0.2
"""Share of what stands in a clause that concedes."""
ELSEWHERE = 0.2
"""Share of a movement of something else: a stock, gold, the dollar."""
MEASURED = 0.5
"""What a direction ("down") says at least where the size of the move stands beside it."""
FOLLOWING = 0.5
"""Share of what stands behind a comma where the title has already said something before it."""
DOUBT = 1.15
"""A sum of this size counts half, a fainter one less: those are mostly of titles without news.
Set so that about 97.5 % of neutral titles by which no word was chosen stay within ±0.15."""
UNNAMED = 0.3
"""Share of what a title says that names no asset: it seldom moves a price."""
SAID = 0.15
"""From here on a value is a statement."""
PROPOSED = 0.3
"""Share of a thing that somebody only wants."""
UNDECIDED = 0.6
"""From this ratio of the weaker to the stronger side on, a title is two-sided."""
OF_TWO_SIDES = 0.3
"""Share of the difference that a two-sided title means."""
ASIDE = 0.1
"""Share of what is told where a market is only the setting."""
ACCOMPANIED = 0.5
"""Share of what goes along with the statement ("as gold dives")."""
ASKED = 0.2
"""Share of what is asked, not told."""
VOICED = 0.3
"""Share of what somebody says, or what may, could or should be."""
OWNED = 0.3
"""Share of what is only spoken of ("Terra's collapse", "a ban idea"), or over."""
PERSONAL = 0.2
"""Share of what one person gains or loses."""
NAMED_ONLY = 0.6
"""Share of a noun of movement ("recovery"): it may be the setting as well as the news."""
ALONE = 0.68
"""Share of the one thing said where a title says no other."""
WEIGHTY = 0.3
"""Valence from which a phrase says something by itself."""
SIDE_BY_SIDE = 0.3
"""Share of what a title means that says good and bad in one breath, and does not say which wins."""
EXPLAINED = 0.2
"""Share of what is explained, not told."""

_PERCENT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\+?%")
_TONES = frozenset({"", "price", "forecast"})
"""Kinds of phrase that tell of no event."""


@dataclass(slots=True)
class Found:
    """A phrase where it stands: its first word's place, the place behind it, what it adds."""

    entry: Entry
    start: int
    end: int
    value: float


class MarketLexicon:
    """A scorer of headlines by our own words; :func:`explain` shows what it read.

    Implements ``Scorer``. No text raises; a text without market words scores 0.
    """

    def __init__(self) -> None:
        self._table: Table = table()

    def score(self, title: str) -> Score:
        """Tone, assets and events of a title."""
        tokens = tokens_of(title)
        found = self._find(tokens)
        symbols = symbols_of(title[:LONGEST_TITLE])
        events: dict[str, None] = {}
        for phrase in found:
            if phrase.entry.event not in _TONES:
                events.setdefault(phrase.entry.event)
        total = self._sum(tokens, found, bool(symbols), owned_in(title))
        sure = total * abs(total) / (abs(total) + DOUBT)
        return Score(round(math.tanh(sure), 6) + 0.0, symbols, tuple(events))

    def explain(self, title: str) -> list[tuple[str, float]]:
        """Each phrase that was found and what it added, in the order they stand."""
        tokens = tokens_of(title)
        found = self._find(tokens)
        self._sum(tokens, found, bool(symbols_of(title[:LONGEST_TITLE])), owned_in(title))
        return [(" ".join(phrase.entry.phrase), phrase.value) for phrase in found]

    def _find(self, tokens: list[str]) -> list[Found]:
        found = []
        place = 0
        tokens = ["#" if token[0].isdigit() and "%" not in token else token for token in tokens]
        while place < len(tokens):
            entry = self._longest(tokens, place)
            if entry is None:
                place += 1
                continue
            end = place + len(entry.phrase)
            found.append(Found(entry, place, end, entry.valence))
            place = end
        return found

    def _longest(self, tokens: list[str], place: int) -> Entry | None:
        for entry in self._table.get(tokens[place], ()):
            length = len(entry.phrase)
            if length == 1 or tuple(tokens[place : place + length]) == entry.phrase:
                return entry
        return None

    def _sum(
        self, tokens: list[str], found: list[Found], named: bool, owned: frozenset[str]
    ) -> float:
        """What all phrases say together; leaves each one's part in it."""
        text = " ".join(tokens)
        padded = f" {text} "
        if any(f" {mark} " in padded for mark in words.ROUNDUPS):
            for phrase in found:
                phrase.value = 0.0
            return 0.0
        _strengthen(tokens, found)
        _turn(tokens, found)
        _weigh(tokens, found)
        _set_aside(tokens, found, owned)
        if not named:
            _generalise(tokens, found)
        total = sum(phrase.value for phrase in found)
        acts = any(phrase.entry.act for phrase in found)
        if acts and any(phrase.entry.actor for phrase in found):
            share = 1.0 if named else UNNAMED
            total += words.ACTOR_AND_ACT * share * _share_of_whole(tokens)
        return total * _decidedness(found) * _singleness(tokens, found)


def _strengthen(tokens: list[str], found: list[Found]) -> None:
    """Words before a phrase, and a percentage beside a movement, change its size."""
    for phrase in found:
        if not phrase.value:
            continue
        for before in tokens[max(0, phrase.start - 2) : phrase.start]:
            phrase.value *= words.BOOSTERS.get(before, words.DAMPENERS.get(before, 1.0))
        if any(
            token in words.PROPOSALS for token in tokens[max(0, phrase.start - 4) : phrase.start]
        ):
            phrase.value *= PROPOSED
        if any(token in words.OTHERS for token in tokens[max(0, phrase.start - 3) : phrase.start]):
            phrase.value *= ELSEWHERE
        if phrase.entry.move:
            size = min(_percentage(tokens, phrase), 100.0)
            if size and abs(phrase.entry.valence) < MEASURED:
                phrase.value *= MEASURED / abs(phrase.entry.valence)
            phrase.value *= 1.0 + size / 100.0


def _percentage(tokens: list[str], phrase: Found) -> float:
    """The percentage that stands nearest behind a movement, else before it; 0 for none."""
    behind = tokens[phrase.end : phrase.end + BESIDE]
    before = tokens[max(0, phrase.start - BESIDE) : phrase.start][::-1]
    for token in (*behind, *before):
        match = _PERCENT.fullmatch(token.rstrip("+"))
        if match:
            return float(match.group(1).replace(",", ""))
    return 0.0


def _turn(tokens: list[str], found: list[Found]) -> None:
    """A turner changes the sign of the next thing that has one, and is spent on it."""
    for place, turner in enumerate(found):
        if not turner.entry.turns:
            continue
        for phrase in found[place + 1 :]:
            if phrase.start - turner.end > WINDOW:
                break
            if any(token in BREAKS for token in tokens[turner.end : phrase.start]):
                break
            if phrase.value and not phrase.entry.turns:
                moved = phrase.entry.event in ("price", "forecast", "")
                denied = turner.entry.phrase[0] in words.NEGATIONS
                phrase.value *= TURNED if phrase.value > 0 or (moved and not denied) else AVERTED
                turner.value = 0.0
                break


def _weigh(tokens: list[str], found: list[Found]) -> None:
    """Clauses that concede, what comes before a "but", questions and explanations count less."""
    whole = _share_of_whole(tokens)
    but = max((i for i, token in enumerate(tokens) if token in words.ADVERSATIVE), default=-1)
    for phrase in found:
        phrase.value *= whole
        turned = phrase.value * phrase.entry.valence < 0
        if not turned and " ".join(phrase.entry.phrase) in words.NOUNS:
            phrase.value *= NAMED_ONLY
        if phrase.start < but:
            phrase.value *= CONCEDED
        phrase.value *= _share_of_clause(tokens, phrase.start)
    comma = tokens.index(",") if "," in tokens else len(tokens)
    if any(abs(phrase.value) > SAID for phrase in found if phrase.start < comma):
        for phrase in found:
            if phrase.start > comma:
                phrase.value *= FOLLOWING


def _set_aside(tokens: list[str], found: list[Found], owned: frozenset[str]) -> None:
    """What is spoken of, what is one person's own, and what burdens do, is no market's move."""
    for phrase in found:
        before = tokens[max(0, phrase.start - 2) : phrase.start]
        if phrase.entry.move and phrase.entry.phrase[0] in owned:
            phrase.value *= OWNED
        behind = [token for token in tokens[phrase.end : phrase.end + 2] if token != "on"]
        if behind and behind[0] in words.TOPICAL:
            phrase.value *= OWNED
        if any(token in words.PERSONS for token in before):
            phrase.value *= PERSONAL
        if phrase.entry.move and before and before[-1] in words.BURDENS:
            phrase.value *= ELSEWHERE


def _share_of_clause(tokens: list[str], place: int) -> float:
    """What the words before a place, back to the last break, make of it: statement or setting."""
    for before in range(place - 1, -1, -1):
        token = tokens[before]
        if token in BREAKS:
            # "Falls despite the news, the talks": a concession that closes a title has it all.
            closing = any(word in words.CLOSING for word in tokens[1:before])
            return CONCEDED if token == "," and closing else 1.0
        if token in words.CONCESSIVE:
            return CONCEDED
        if token in words.ACCOMPANYING:
            return ACCOMPANIED
    return 1.0


def _generalise(tokens: list[str], found: list[Found]) -> None:
    """Without an asset by name only a movement of the market as such counts whole."""
    market = any(token in words.MARKET for token in tokens)
    for phrase in found:
        if not (market and phrase.entry.event in ("price", "flows")):
            phrase.value *= UNNAMED


def _decidedness(found: list[Found]) -> float:
    """How far one side outweighs the other: all counts, or a part where they nearly balance."""
    good = sum(phrase.value for phrase in found if phrase.value > 0)
    bad = -sum(phrase.value for phrase in found if phrase.value < 0)
    return OF_TWO_SIDES if min(good, bad) > UNDECIDED * max(good, bad) else 1.0


def _singleness(tokens: list[str], found: list[Found]) -> float:
    """How sure the number of things said makes: one alone less, good and bad side by side least."""
    weighty = [
        phrase
        for phrase in found
        if abs(phrase.entry.valence) >= WEIGHTY and not phrase.entry.turns and phrase.value
    ]
    if len(weighty) < 2:
        return ALONE
    resolved = any(
        token in (*words.ADVERSATIVE, *words.CLOSING, *words.ACCOMPANYING) for token in tokens
    )
    for one, other in itertools.pairwise(weighty):
        apart = "," in tokens[one.end : other.start]
        if one.value * other.value < 0 and not apart and not resolved:
            return SIDE_BY_SIDE
    return 1.0


def _divided(tokens: list[str]) -> bool:
    """Whether a colon or a dash divides a title, as between who speaks and what is said."""
    return any(token in BREAKS and token not in ",.!?;" for token in tokens)


def _share_of_whole(tokens: list[str]) -> float:
    """How much of its words a title means: all, or half where it asks or explains."""
    if not tokens:
        return 1.0
    share = ASKED if "?" in tokens else 1.0
    if tokens[0] in words.EXPLAINERS:
        share *= EXPLAINED
    speaks = any(token in words.SPEAKERS for token in tokens) and _divided(tokens)
    if speaks or any(token in words.VOICES for token in tokens):
        share *= VOICED
    return share * ASIDE if any(token in words.ASIDES for token in tokens) else share
