"""One tick of a stretch that was run again, as facts: votes, reads, fusion, gate, clips, book."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.report.explanation import (
    Clip,
    DecisionFacts,
    Fusion,
    Gate,
    Line,
    Read,
    Vote,
)
from mirrorcore.swarm.assembly import Swarm, role_of
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.stretch import Cut
from mirrorcore.syncbus import StateView
from mirrorcore.syncbus.schema import thaw
from mirrorcore.trading.orders import Order

_BARS = ("veto", "cool_down")
"""What keeps a gate shut, worth a word only while it does."""


def moment(
    swarm: Swarm,
    record: BlockRecord,
    cuts: Sequence[Cut],
    ended: Sequence[Order],
    symbol: int,
) -> DecisionFacts:
    """The decision about ``symbol`` at the one tick of ``record``, which was just decided."""
    parts, block = swarm.parts, record.block
    ts, prices = int(block.ts[0]), record.prices[-1]
    path = parts.path
    held = path.ledger.weights(prices)
    targets = record.stage.conclusions.targets[-1]
    wanted = (targets * record.shares[-1]).tolist()
    names = swarm.context.symbols
    sized = _state(swarm, role_of(swarm.members, "allocator"))
    tick = block.index
    return DecisionFacts(
        id=f"D{tick}",
        tick=tick,
        ts=ts,
        symbol=names[symbol],
        equity=record.equity[-1] / 10**path.ledger.units.places,
        price=_price(swarm, symbol, prices),
        bar_open=int(block.open_ts[0, symbol]) if block.present[0, symbol] else None,
        budget=_number(sized.state.get("budget")) if sized else None,
        held=held[symbol],
        target=float(targets[symbol]),
        wanted=wanted[symbol],
        fusion=_fusion(swarm, symbol, ts),
        votes=_votes(swarm, symbol, ts),
        reads=_reads(swarm, symbol),
        gate=_gate(swarm, record.shares[-1]),
        clips=tuple(
            Clip(
                limit=cut.limit,
                symbol="" if cut.symbol is None else names[cut.symbol],
                asked=cut.asked,
                allowed=cut.allowed,
            )
            for cut in cuts
            if cut.ts == ts and cut.symbol in (None, symbol)
        ),
        blocked=tuple(
            name
            for name, reached in (
                ("drawdown", path.limits.tripped),
                ("daily_loss", path.limits.day_blocked),
            )
            if reached
        ),
        gateway=path.gateway.state.value,
        book=tuple(
            Line(
                symbol=name,
                price=_price(swarm, s, prices),
                held=held[s],
                target=float(targets[s]),
                wanted=wanted[s],
            )
            for s, name in enumerate(names)
        ),
        orders=tuple(
            order.client_id
            for order in (*ended, *path.venue.working)
            if order.ts == ts and order.symbol == symbol
        ),
    )


def most_moved(record: BlockRecord, held: Sequence[float]) -> int:
    """The symbol whose position was to change most."""
    wanted = record.stage.conclusions.targets[-1] * record.shares[-1]
    return int(np.argmax(np.abs(wanted - np.array(held))))


def _fusion(swarm: Swarm, symbol: int, ts: int) -> Fusion | None:
    oracle = role_of(swarm.members, "oracle")
    view = _state(swarm, oracle)
    if oracle is None or view is None:
        return None
    edge_sum = market_sum = None
    pulls, common = _pulls(swarm, ts)
    if pulls is not None and common is not None:
        edge_sum, market_sum = _in_order(pulls[symbol]), _in_order(common)
    said = view.state
    return Fusion(
        agent=oracle.agent_id,
        said_at=view.t,
        edge_sum=edge_sum,
        edge=_element(said.get("edge"), symbol),
        market_sum=market_sum,
        market_edge=_number(said.get("factor_edge")),
        conviction=_number(said.get("conviction")),
        consensus=_number(said.get("consensus")),
        forecast=_element(said.get("forecast"), symbol),
        volatility=_element(said.get("residual_vol"), symbol),
    )


def _in_order(values: Any) -> float:
    """The sum as the oracle adds: one voter after the other."""
    total = 0.0
    for value in values.tolist():
        total += value
    return total


def _pulls(swarm: Swarm, ts: int) -> tuple[Any, Any]:
    """(S, N) and (N,) what each voter added; None where the oracle did not speak at this tick, or
    is somebody's own that does not tell."""
    oracle = role_of(swarm.members, "oracle")
    view = _state(swarm, oracle)
    if oracle is None or view is None or view.t != ts or view.stale:
        return None, None
    pulls = getattr(oracle.agent, "pulls", None)
    common = getattr(oracle.agent, "common_pulls", None)
    if pulls is None or common is None or not len(pulls):
        return None, None
    return pulls[-1], common[-1]


def _votes(swarm: Swarm, symbol: int, ts: int) -> tuple[Vote, ...]:
    analysis, voters = swarm.parts.analysis, swarm.context.voters
    oracle = _state(swarm, role_of(swarm.members, "oracle"))
    said: Mapping[str, Any] = oracle.state if oracle else {}
    pulls, common = _pulls(swarm, ts)
    counted, cast_at = analysis.counted(ts), analysis.cast_at()
    return tuple(
        Vote(
            agent=voter,
            forecast=_number(float(counted[symbol, i])),
            cast_at=cast_at[i] or None,
            age_ns=ts - cast_at[i] if cast_at[i] else None,
            weight=_element(said.get("weights"), i),
            trust=_element(said.get("trust"), i),
            pull=None if pulls is None else float(pulls[symbol, i]),
            market_pull=None if common is None else float(common[i]),
            state=_told(swarm, voter, symbol),
        )
        for i, voter in enumerate(voters)
    )


def _told(swarm: Swarm, agent_id: str, symbol: int) -> dict[str, Any]:
    """What an agent published, of vectors over the symbols the one element."""
    symbols, found = len(swarm.context.symbols), {}
    for name, value in swarm.parts.bus.read(agent_id).state.items():
        if isinstance(value, np.ndarray):
            found[name] = value[symbol].item() if value.shape == (symbols,) else value.tolist()
        elif isinstance(value, Mapping) and swarm.context.symbols[symbol] in value:
            found[name] = thaw(value[swarm.context.symbols[symbol]])
        else:
            plain = thaw(value)
            known = isinstance(plain, str | int | float | list | dict | None)
            found[name] = plain if known else str(plain)
    return found


def _reads(swarm: Swarm, symbol: int) -> tuple[Read, ...]:
    """What the voters looked at in their last call, each value once with all its readers."""
    readers: dict[tuple[str, str, float | None, int, int], list[str]] = {}
    by_id = {member.agent_id: member for member in swarm.members}
    for voter in swarm.context.voters:
        reads = by_id[voter].reads
        if reads is None or reads.market is None:
            continue
        row, market = reads.row, reads.market
        ts = int(market.market.ts[row])
        for category, name in reads.names:
            value = float(market.values[category][name][row, symbol])
            known = int(market.known_at[category][name][row, symbol])
            # NaN is never the same as NaN.
            key = (category, name, value if math.isfinite(value) else None, known, ts)
            readers.setdefault(key, []).append(voter)
    return tuple(
        Read(
            category=category,
            name=name,
            value=value,
            known_at=known or None,
            age_ns=ts - known if known else None,
            readers=tuple(voters),
        )
        for (category, name, value, known, ts), voters in readers.items()
    )


def _gate(swarm: Swarm, share: float) -> Gate:
    parts = swarm.parts
    agent_id = parts.gate_agent
    view = None if agent_id is None else parts.bus.read(agent_id)
    state = {} if view is None or not view.version else view.state
    return Gate(
        agent=agent_id,
        share=share,
        silent=parts.gate.silent,
        said=_number(state.get("gate")),
        said_at=view.t if view is not None and view.version else None,
        factors={
            name: value
            for name in state
            if (name.startswith("m_") or (name in _BARS and state[name]))
            and (value := _number(state[name])) is not None
        },
        reasons=str(state.get("reasons", "")),
    )


def _state(swarm: Swarm, member: Member | None) -> StateView | None:
    """What an agent said last; None where there is none or it never spoke."""
    if member is None:
        return None
    view = swarm.parts.bus.read(member.agent_id)
    return view if view.version else None


def _price(swarm: Swarm, symbol: int, prices: Sequence[int]) -> float | None:
    ticks = prices[symbol]
    return float(swarm.parts.path.ledger.units.price(symbol, ticks)) if ticks else None


def _element(values: Any, index: int) -> float | None:
    if not isinstance(values, np.ndarray) or index >= len(values):
        return None
    return _number(float(values[index]))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
