"""The order of a file's rows: which rows stand too early, where the whole column of times is known.

A validator that takes row after row can only call late what is older than what it took. A row that
came too early would so cost all those after it; in a file it is seen to be the one at fault.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from mirrorcore.data_sources.tables import Table
from mirrorcore.market.block import Ints
from mirrorcore.market.intake import Case

TOO_EARLY = "newer than the rows after it"
_EVER = np.iinfo(np.int64).max
_NONE: Ints = np.empty(0, np.int64)


def rows_in_order(table: Table, times: Ints) -> tuple[Ints, bool]:
    """The rows of a table without fault, oldest first, and whether the file was turned round.

    Rows that stand too early are noted in ``table.faults`` as OUT_OF_ORDER.
    """
    rows = np.flatnonzero(table.faults == Case.NONE)
    if len(rows) > 2 and bool((np.diff(times[rows]) < 0).all()):
        return rows[::-1], True
    early = too_early(times[rows])
    table.faults[rows[early]] = Case.OUT_OF_ORDER
    return np.delete(rows, early), False


def too_early(times: Ints) -> Ints:
    """Positions of the rows without which fewer of the others would have to be refused as late.

    Only rows newer than one that stays after them are among these; rows that are late, or there
    twice, are left to the validator. Where it would refuse as few by itself there is none.
    """
    late = _late(times)
    if not late:
        return _NONE
    highest = np.maximum.accumulate(times)
    # What is newer than all before and older than all after is right, whatever the others are.
    doubtful = np.flatnonzero((times > _lowest_after(times)) | (times < highest))
    stays = np.ones(len(times), bool)
    stays[doubtful] = False
    stays[doubtful[_longest_rise(times[doubtful].tolist())]] = True
    early = np.flatnonzero(~stays & (times > _lowest_after(np.where(stays, times, _EVER))))
    return early if len(early) + _late(np.delete(times, early)) < late else _NONE


def _late(times: Ints) -> int:
    """Rows that are not newer than all before them."""
    return int(np.count_nonzero(times[1:] <= np.maximum.accumulate(times)[:-1]))


def _lowest_after(times: Ints) -> Ints:
    """The lowest of what comes after each row."""
    lowest: Ints = np.minimum.accumulate(times[::-1])[::-1]
    return np.append(lowest[1:], _EVER)


def _longest_rise(values: list[int]) -> list[int]:
    """Positions of a longest strictly rising part; the first of equal values."""
    ends: list[int] = []  # the lowest value that ends a rise of each length
    places: list[int] = []  # where that stands
    before = [-1] * len(values)
    for place, value in enumerate(values):
        length = bisect_left(ends, value)
        if length < len(ends) and ends[length] == value:
            continue
        before[place] = places[length - 1] if length else -1
        ends[length : length + 1] = [value]
        places[length : length + 1] = [place]
    found: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
