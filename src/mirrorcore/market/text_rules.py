"""Headlines and posts. A text is data: nothing in it is ever carried out."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from mirrorcore import clock
from mirrorcore.market.intake import Case
from mirrorcore.market.parsing import MISSING_WORDS
from mirrorcore.market.records import Flag, Text
from mirrorcore.market.rulings import Ruling, type_fault
from mirrorcore.market.timeframe import EARLIEST, LATEST

KEPT_TITLES = 16_384
SAME_WITHIN = 3 * clock.DAY
"""The same title later than that is a new text: a column, or a weekly report."""

_INSTRUCTION = re.compile(
    r"\b(ignore|disregard|forget)\b.{0,40}\b(previous|prior|above|all|your)\b.{0,20}"
    r"\b(instructions?|prompts?|messages?)\b"
    r"|\b(ignore|disregard|forget)\s+(all\s+)?your\b.{0,20}\brules?\b"
    r"|\byou are now\b.{0,40}\b(assistant|agent|model|bot|system|trader)\b"
    r"|\bsystem prompt\b|<\|[a-z_]+\|>|\[/?INST\]"
    r"|^\s*(system|assistant|user)\s*:"
    r"|\b(as an ai|as a language model)\b"
    r"|\b(sell|buy|transfer|send|withdraw)\b.{0,30}\b(everything|all funds|all positions)\b"
    r".{0,30}\b(now|immediately|at once)\b",
    re.IGNORECASE | re.DOTALL,
)


def normalised(title: str) -> str:
    """Letters and digits of a title in one case, so that small differences do not count."""
    plain = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(re.findall(r"[^\W_]+", plain))


@dataclass(slots=True)
class TextTrack:
    """The memory of all text feeds together: one headline is told by many of them.

    Parameters
    ----------
    tolerance_ns: how far in the future a text may be dated.
    """

    tolerance_ns: int
    titles: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    """When a title was first met, event time, by its digest."""
    digests: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def judge(self, text: Text) -> Ruling:
        """Judge the next text and remember its title."""
        if _empty(text.title):
            return Ruling(Case.EMPTY_TEXT)
        fault = type_fault(text)
        if fault is not Case.NONE:
            return Ruling(fault)
        if not EARLIEST <= text.ts_event < LATEST:
            return Ruling(Case.TIME_RANGE)
        if text.ts_avail < text.ts_recv:
            return Ruling(Case.LOOK_AHEAD)
        if self._known(text):
            return Ruling(Case.DUPLICATE)
        noted: list[Case] = []
        flags = 0
        record: Text | None = None
        if text.ts_event > text.ts_recv + self.tolerance_ns:
            noted.append(Case.TEXT_DATE)
            flags |= Flag.REPAIRED
            record = msgspec.structs.replace(text, ts_event=text.ts_recv)
        if _INSTRUCTION.search(text.title):
            noted.append(Case.INSTRUCTION_LIKE)
            flags |= Flag.INSTRUCTION_LIKE
        return Ruling(flags=flags, noted=tuple(noted), record=record)

    def _known(self, text: Text) -> bool:
        title = hashlib.blake2b(normalised(text.title).encode(), digest_size=16).digest()
        when = min(text.ts_event, text.ts_recv)
        first = self.titles.get(title)
        if first is not None and abs(when - first) <= SAME_WITHIN:
            return True
        identity = (text.source, text.digest)
        if text.digest and identity in self.digests:
            return True
        self.titles[title] = when
        self.titles.move_to_end(title)
        self.digests[identity] = None
        for memory in (self.titles, self.digests):
            if len(memory) > KEPT_TITLES:
                memory.popitem(last=False)
        return False


def _empty(title: object) -> bool:
    return title is None or (isinstance(title, str) and title.strip().lower() in MISSING_WORDS)
