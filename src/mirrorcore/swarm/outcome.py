"""What a finished run hands to the report: every figure from the ledger, the bus or the journal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from mirrorcore.report.results import (
    AgentRecord,
    CashRecord,
    CostRecord,
    IntakeRecord,
    LimitRecord,
    RunIdentity,
    RunResults,
    TradeRecord,
    WeightPath,
)
from mirrorcore.report.swarm_records import Skill
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.skill import skills
from mirrorcore.swarm.swarm_outcome import swarm_record, voter_path
from mirrorcore.trading.currencies import worth
from mirrorcore.trading.hits import LimitHit
from mirrorcore.trading.ledger import Ledger
from mirrorcore.trading.trades import Trade, trade_row
from mirrorcore.trading.units import exact_decimal

_LEADING = 3
"""Voters named beside a trade."""


def results_of(
    swarm: Swarm,
    recorder: Recorder,
    identity: RunIdentity,
    lives: LifeLog,
    warnings: Sequence[str],
) -> RunResults:
    """Gather the results of a run that has ended."""
    ledger = swarm.parts.path.ledger
    units = ledger.units
    scale = float(10**units.places)
    columns = recorder.columns
    equity = columns.joined("equity")
    ends, scores, net = recorder.daily.table()
    skilled = skills(scores)
    gained = float(equity[-1]) - ledger.initial / scale if len(equity) else 0.0
    return RunResults(
        identity=identity,
        currency=units.currency,
        initial_equity=ledger.initial / scale,
        ts=columns.instants(),
        equity=equity,
        shadow_equity=columns.joined("shadow_equity"),
        benchmark=columns.joined("benchmark"),
        gross=columns.joined("gross"),
        net=columns.joined("net"),
        gate=columns.joined("gate"),
        fear=columns.joined("fear"),
        confidence=columns.joined("confidence"),
        costs=CostRecord(
            fee_bps=swarm.config.costs.fee_bps,
            slippage_bps=swarm.config.costs.slippage_bps,
            fees_paid=ledger.fees / scale,
            slippage_paid=ledger.slippage / scale,
            traded_notional=ledger.turnover / scale,
        ),
        accounting_residual=_residual(swarm, recorder),
        trades=_trades(swarm, recorder),
        agents=tuple(_agent(swarm, recorder, member, lives, skilled) for member in swarm.members),
        weights=_weight_path(swarm, recorder),
        limits=_limits(swarm, recorder.hits),
        intake=tuple(
            IntakeRecord(
                source=source, case=case.description, count=count, action=case.action.value
            )
            for source, case, count in swarm.source.verdicts.rows()
        ),
        warnings=(*warnings, *_own_warnings(swarm)),
        orders=recorder.order_count,
        fills=recorder.fill_count,
        swarm=swarm_record(swarm, recorder, lives, skilled, gained),
        voters=voter_path(swarm, ends, net),
        cash=_cash(ledger, recorder.last_prices),
    )


def _cash(ledger: Ledger, prices: Sequence[int]) -> tuple[CashRecord, ...]:
    """The account by currency, where it has several."""
    if ledger.rates is None:
        return ()
    scale = float(10**ledger.units.places)
    gains = ledger.translated_by_currency(prices)
    amounts, results = ledger.amounts(prices), ledger.results(prices)
    return tuple(
        CashRecord(
            currency=currency,
            cash=ledger.balances[number] / scale,
            positions=(amounts[number] - ledger.balances[number]) / scale,
            results=results[number] / scale,
            fees=ledger.fees_paid[number] / scale,
            # A currency that never had a rate has never been touched.
            rate=0.0 if rate is None else rate[0] / rate[1],
            worth=0.0 if rate is None else worth(amounts[number], rate) / scale,
            translation=gains[number] / scale,
        )
        for number, (currency, rate) in enumerate(
            zip(ledger.units.currencies, ledger.rates.at(prices), strict=True)
        )
    )


def _residual(swarm: Swarm, recorder: Recorder) -> Decimal:
    """The largest difference of the ledger's two sums, in the account's currency."""
    ledger = swarm.parts.path.ledger
    worst = max(abs(ledger.residual(recorder.last_prices)), recorder.worst_residual)
    return exact_decimal(worst, ledger.units.places) if worst else Decimal(0)


def _trades(swarm: Swarm, recorder: Recorder) -> tuple[TradeRecord, ...]:
    ledger = swarm.parts.path.ledger
    ended = int(recorder.columns.ts[-1][-1]) if recorder.columns.ts else 0
    everything = [*ledger.trades, *ledger.open_trades(recorder.last_prices)]
    return tuple(_trade(trade, swarm, recorder, ended) for trade in everything)


def _trade(trade: Trade, swarm: Swarm, recorder: Recorder, ended: int) -> TradeRecord:
    prices = recorder.last_prices
    units = swarm.parts.path.ledger.units
    row = trade_row(trade, units)
    net, (up, down) = swarm.parts.path.ledger.in_account(trade, prices)
    mark = units.price(trade.symbol, prices[trade.symbol])
    return TradeRecord(
        id=f"T{trade.number}",
        symbol=row["symbol"],
        side=row["side"],
        open_ts=trade.opened,
        close_ts=ended if trade.is_open else trade.closed,
        open_price=float(row["open_rate"]),
        close_price=float(mark if trade.is_open else row["close_rate"]),
        quantity=row["amount"],
        pnl=float(exact_decimal(net, units.places)),
        pnl_ratio=row["profit_ratio"],
        fees=float(row["fee_open"] + row["fee_close"]) * up / down,
        slippage=float(row["slippage"]) * up / down,
        is_open=trade.is_open,
        voters=_leading(recorder, swarm.context.voters, trade.opened),
    )


def _leading(
    recorder: Recorder, voters: Sequence[str], opened: int
) -> tuple[tuple[str, float], ...]:
    """The voters that weighed most when the day of an entry began, none that weighed nothing."""
    columns = recorder.columns
    row = bisect_right(columns.weight_ts, opened) - 1
    if row < 0:
        return ()
    weighed = zip(voters, columns.weights[row].tolist(), strict=False)
    leading = sorted((w for w in weighed if w[1]), key=lambda w: -abs(w[1]))
    return tuple(leading[:_LEADING])


def _agent(
    swarm: Swarm, recorder: Recorder, member: Member, lives: LifeLog, skilled: Sequence[Skill]
) -> AgentRecord:
    bus, agent_id = swarm.parts.bus, member.agent_id
    counts = bus.statistics(agent_id)
    return AgentRecord(
        id=agent_id,
        kind=member.kind,
        state=counts.state,
        health=bus.health(agent_id).score,
        calls=counts.calls - lives.calls_before.get(agent_id, 0),
        failures=counts.failures,
        isolations=lives.isolations.get(agent_id, 0),
        restarts=counts.restarts,
        last_error=lives.last_error.get(agent_id, ""),
        **_voting(swarm, recorder, agent_id, skilled),
    )


def _voting(
    swarm: Swarm, recorder: Recorder, agent_id: str, skilled: Sequence[Skill]
) -> Mapping[str, Any]:
    """What only a voter has."""
    voters = list(swarm.context.voters)
    if agent_id not in voters:
        return {}
    position = voters.index(agent_id)
    figures: dict[str, Any] = {"votes": True}
    if position + 1 < len(skilled):
        # The fused forecast comes first.
        figures["skill"] = skill = skilled[position + 1]
        figures["forecasts"], figures["hit_rate"] = skill.forecasts, skill.hit_rate
        figures["shadow_pnl_gross"] = float(recorder.final_voter_pnl[0, position])
        figures["shadow_pnl_net"] = float(recorder.final_voter_pnl[1, position])
    if position < len(recorder.last_weights):
        figures["last_weight"] = float(recorder.last_weights[position])
        figures["mean_weight"] = float(recorder.mean_weights()[position])
    if position < len(recorder.contributions.totals):
        figures["contribution"] = float(recorder.contributions.totals[position])
    return figures


def _weight_path(swarm: Swarm, recorder: Recorder) -> WeightPath | None:
    voters = tuple(swarm.context.voters)
    columns = recorder.columns
    if not columns.weights or not voters:
        return None
    matrix = np.zeros((len(columns.weights), len(voters)))
    for row, weights in enumerate(columns.weights):
        matrix[row, : len(weights)] = weights
    return WeightPath(ts=np.array(columns.weight_ts, dtype=np.int64), names=voters, matrix=matrix)


def _limits(swarm: Swarm, hits: Sequence[LimitHit]) -> tuple[LimitRecord, ...]:
    """One row for each limit and symbol over the whole run."""
    rows: dict[tuple[str, str], list[LimitHit]] = {}
    for hit in hits:
        symbol = "" if hit.symbol is None else swarm.context.symbols[hit.symbol]
        rows.setdefault((hit.limit, symbol), []).append(hit)
    return tuple(
        LimitRecord(
            limit=limit,
            symbol=symbol,
            hits=sum(hit.count for hit in group),
            first_ts=min(hit.ts for hit in group),
            last_ts=max(hit.last_ts for hit in group),
            asked=worst.asked,
            allowed=worst.allowed,
        )
        for (limit, symbol), group in sorted(rows.items())
        for worst in [max(group, key=lambda hit: abs(hit.asked) - abs(hit.allowed))]
    )


def _own_warnings(swarm: Swarm) -> list[str]:
    """What the reader of the figures has to know."""
    warnings = list(swarm.source.verdicts.remarks)
    plain = [i.symbol for i in swarm.source.instruments if not i.described]
    if plain:
        warnings.append(
            f"nobody described {', '.join(plain)}: tick and lot of 1e-8, no minimum, shortable"
        )
    if missing := swarm.undecided():
        warnings.append(
            f"no agent of the swarm can act as {' or '.join(missing)}: nothing is traded"
        )
    for change in swarm.parts.path.gateway.changes:
        warnings.append(f"gateway {change.before} → {change.after}: {change.reason}")
    for name, interest in swarm.parts.bus.unresolved_interests():
        warnings.append(f"{name} is interested in {interest}, which is not in the swarm")
    residual: int = swarm.parts.bus.accounting_residual()
    if residual:
        warnings.append(
            f"{residual} deliveries on the bus are unaccounted for: a defect, report it"
        )
    return warnings
