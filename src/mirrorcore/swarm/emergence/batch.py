"""What of a finished block is looked at: cut out in the swarm's loop, nothing is calculated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.emergence.beliefs import Ahead, Said
from mirrorcore.swarm.engine import BlockRecord

Name = tuple[str, str]
"""Category and name of a value of the market."""
MOST_INPUTS = 16
"""Values of the market, and as many agents that are read, an action is explained with."""
_OUTSIDE = ("fundamental", "sentiment", "onchain", "macro")
_ALSO = (("technical", "volume_z"), ("risk", "jump_share"))


@dataclass(slots=True)
class Batch:
    """What a block of T ticks brought, of S symbols.

    ``votes`` and ``held`` hold an (S, N) array a tick, ``pnl`` (2, N) what each paper book earned
    so far, before and after costs. ``inputs`` are (T, S) each, NaN where unknown. ``heard`` are
    instants and receivers of direct messages, ``touched`` ticks and agents of commands, with the
    tick until which their doings are the operator's. ``ahead`` and ``said`` are what believers
    said: for whole blocks, and as they published it.
    """

    index: int
    ts: Ints
    present: Bools
    open: Floats
    moves: Floats
    inputs: Mapping[Name, Floats]
    votes: Sequence[Floats]
    held: Sequence[Floats]
    pnl: Sequence[Floats]
    volatility: Floats
    forecast: Floats
    voters: Sequence[str]
    heard: Sequence[tuple[int, str]] = ()
    touched: Sequence[tuple[int, str, float]] = ()
    ahead: Ahead | None = None
    said: Sequence[Said] = ()

    def __len__(self) -> int:
        return len(self.ts)


def cut(record: BlockRecord, voters: Sequence[str]) -> Batch:
    """A batch of a block."""
    block, made, market = record.block, record.stage.conclusions, record.stage.market
    return Batch(
        index=block.index,
        ts=block.ts,
        present=block.present,
        open=block.open,
        moves=market.values["technical"]["return_1"],
        inputs=_inputs(market),
        votes=made.votes,
        held=made.held,
        pnl=made.voter_pnl,
        volatility=market.values["risk"]["vol_fast"],
        forecast=made.forecasts,
        voters=tuple(voters),
    )


def _inputs(market: CategorizedBlock) -> dict[Name, Floats]:
    """Values from outside a symbol's own prices, in an order that does not depend on when each
    came first: a recorded run knows them one after the other."""
    found: dict[Name, Floats] = {
        (category, name): market.values[category][name]
        for category in CATEGORIES
        if category in _OUTSIDE
        for name in sorted(market.values[category])
    }
    for category, name in _ALSO:
        column = market.values.get(category, {}).get(name)  # type: ignore[call-overload]
        if column is not None:
            found[category, name] = column
    return found
