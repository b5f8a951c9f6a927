"""Funding of perpetuals: a rate may be corrected until it is settled, the past may not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mirrorcore import clock
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Flag, Funding
from mirrorcore.market.rulings import Ruling, time_fault, type_fault

LARGEST_RATE = 0.05
"""Of notional, for one interval. Venues cap it at 0.3 % to 4 %; in per cent it would be larger."""
LONGEST = clock.DAY


@dataclass(slots=True)
class FundingTrack:
    """The memory of one source's funding of one symbol."""

    tolerance_ns: int
    last: Funding | None = None

    def judge(self, funding: Funding) -> Ruling:
        """Judge the next rate and remember it if it is good."""
        fault = type_fault(funding)
        if fault is Case.NONE:
            fault = time_fault(funding, self.tolerance_ns)
        if fault is not Case.NONE:
            return Ruling(fault)
        if not math.isfinite(funding.rate):
            return Ruling(Case.NOT_FINITE)
        if abs(funding.rate) > LARGEST_RATE or not 0 < funding.interval_ns <= LONGEST:
            return Ruling(Case.OUT_OF_RANGE)
        last = self.last
        if last is None or funding.ts_event > last.ts_event:
            self.last = funding
            return Ruling()
        if funding.ts_event < last.ts_event:
            return Ruling(flags=Flag.OUT_OF_ORDER, noted=(Case.LATE,))
        if (funding.rate, funding.interval_ns) == (last.rate, last.interval_ns):
            return Ruling(Case.DUPLICATE)
        self.last = funding
        return Ruling(flags=Flag.REVISED, noted=(Case.NEW_VINTAGE,))
