"""Seven offenders among two hundred agents, in real time; the evidence has a thousand."""

from __future__ import annotations

import asyncio

from benchmarks.evidence import bus_offenders


def test_the_others_get_everything_and_every_offender_is_dealt_with() -> None:
    seen = asyncio.run(bus_offenders.scenario(200, 4.0, offenders=True))
    figures = bus_offenders.verdict(seen)
    assert seen.published > 10
    assert figures["least_delivered"] == seen.published
    # How late is for the evidence, on a machine that does nothing else.
    late = {"the loop was ended late", "the block was named late"}
    assert set(bus_offenders.faults(figures)) <= late, figures
