"""No sequence of accepted orders takes the book over a limit; checked by brute force."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trading_world import World, instrument, limit_config

from mirrorcore.errors import RefusedError
from mirrorcore.trading import CostModel, GatewayState, Order, OrderStatus

LISTED = [
    instrument("AAA/USDT"),
    instrument("BBB/USDT", tick=Decimal("0.5"), lot=Decimal("0.1"), minimum=Decimal(20)),
    instrument("CCC/USDT", shortable=False, lot=Decimal("0.01")),
]
COUNT = len(LISTED)
weight = st.sampled_from([0.0, 0.0, 0.05, 0.3, 0.45, 0.9, -0.2, -0.5, -1.0])
targets = st.lists(weight, min_size=COUNT, max_size=COUNT)
flags = st.lists(st.integers(0, 5).map(bool), min_size=COUNT, max_size=COUNT)
moves = st.lists(st.integers(-800, 800), min_size=COUNT, max_size=COUNT)
volumes = st.lists(st.sampled_from([0.0, 3.0, 100.0, 1e9]), min_size=COUNT, max_size=COUNT)

# A failing sequence is short enough to read; shrinking a market takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class PathModel(RuleBasedStateMachine):
    """Any targets, prices, holes, volumes, commands; after each tick every outcome is tried."""

    @initialize(
        gross=st.sampled_from([0.3, 1.0, 1.5]),
        net=st.sampled_from([0.2, 1.0]),
        per_symbol=st.sampled_from([0.2, 0.4, 0.9]),
        cost=st.sampled_from([0, 15, 200]),
        loss=st.sampled_from([0.02, 1.0]),
    )
    def begin(self, gross: float, net: float, per_symbol: float, cost: int, loss: float) -> None:
        self.world = World(
            LISTED,
            costs=CostModel(cost, cost / 2),
            limits=limit_config(
                gross=gross, net=net, per_symbol=per_symbol, daily_loss=loss, order_rate=4
            ),
        )
        self.authority = self.world.gateway.claim_stop_authority()
        self.marks = [10_000, 300, 2_000]
        self.sent: list[Order] = []

    def play(self, wanted: list[float], **bars: object) -> None:
        halted = self.world.gateway.state
        before = list(self.world.ledger.positions)
        working = list(self.world.venue.working)
        self.sent = list(self.world.tick(wanted, self.marks, **bars))  # type: ignore[arg-type]
        # Between ticks only orders that went out may have moved a position.
        for symbol, held in enumerate(self.world.ledger.positions):
            reach = [o.lots for o in working if o.symbol == symbol]
            low = before[symbol] + sum(min(0, lots) for lots in reach)
            high = before[symbol] + sum(max(0, lots) for lots in reach)
            assert low <= held <= high
        if halted is GatewayState.HALTED:
            assert self.sent == []
        if halted is GatewayState.REDUCING:
            assert all(order.reduce_only for order in self.sent)
        self.check_worst_case()

    @rule(wanted=targets)
    def quiet(self, wanted: list[float]) -> None:
        self.play(wanted)

    @rule(wanted=targets, move=moves, present=flags, volume=volumes, fresh=flags)
    def rough(self, wanted: list[float], **rest: list) -> None:
        self.marks = [
            max(1, mark + mark * m // 10_000)
            for mark, m in zip(self.marks, rest["move"], strict=True)
        ]
        self.play(wanted, present=rest["present"], volume=rest["volume"], fresh=rest["fresh"])

    @rule()
    def stop(self) -> None:
        self.world.gateway.stop("test", ts=self.world.ts)
        assert all(order.reduce_only for order in self.world.venue.working)

    @rule()
    def flatten(self) -> None:
        exposed = [
            held + pending
            for held, pending in zip(
                self.world.ledger.positions, self.world.venue.working_lots, strict=True
            )
        ]
        sent = self.world.path.flatten(self.world.ts, self.world.marks, self.authority)
        assert all(order.reduce_only for order in sent)
        if any(exposed):
            totals = zip(self.world.ledger.positions, self.world.venue.working_lots, strict=True)
            assert all(held + pending == 0 for held, pending in totals)

    @precondition(lambda self: self.world.gateway.state is not GatewayState.ACTIVE)
    @rule()
    def resume(self) -> None:
        self.world.path.resume("test", ts=self.world.ts, confirmed=True)

    @rule(
        name=st.sampled_from(["gross", "net", "per_symbol"]),
        value=st.sampled_from([0.15, 0.3, 0.5, 1.0]),
    )
    def adjust(self, name: str, value: float) -> None:
        try:
            self.world.path.adjust(name, value, confirmed=True)
        except RefusedError:
            configured = self.world.limits.checkpoint()["configured"]
            assert value > 1.25 * configured[name] * (1 - 1e-12)

    def check_worst_case(self) -> None:
        """Whatever part of the working orders fills at the mark, new risk is within the limits."""
        growing = [order for order in self.sent if not order.reduce_only]
        if not growing:
            return
        world = self.world
        value, config = world.ledger.units.value, world.limits.config
        for chosen in itertools.product([False, True], repeat=len(world.venue.working)):
            filled = list(itertools.compress(world.venue.working, chosen))
            positions = list(world.ledger.positions)
            equity = world.equity
            for order in filled:
                positions[order.symbol] += order.remaining
                equity -= world.costs.estimate(
                    order.remaining, world.marks[order.symbol], value[order.symbol]
                )
            exposures = [p * m * v for p, m, v in zip(positions, world.marks, value, strict=True)]
            assert sum(map(abs, exposures)) <= Fraction(str(config.gross)) * equity
            for order in growing:
                share = Fraction(str(config.per_symbol)) * equity
                side = 1 if order.lots > 0 else -1
                if order in filled:
                    # Where its partner that closes did not fill it only makes less of the rest.
                    assert exposures[order.symbol] * side <= share
                assert sum(exposures) * side <= Fraction(str(config.net)) * equity

    @invariant()
    def books_balance(self) -> None:
        assert self.world.ledger.residual(self.world.marks) == 0

    @invariant()
    def working_orders_of_a_symbol_point_one_way_and_reductions_never_overshoot(self) -> None:
        venue = self.world.venue
        for symbol, held in enumerate(self.world.ledger.positions):
            mine = [order for order in venue.working if order.symbol == symbol]
            assert venue.working_lots[symbol] == sum(order.remaining for order in mine)
            assert len({order.remaining > 0 for order in mine}) <= 1
            reducing = sum(order.remaining for order in mine if order.reduce_only)
            assert abs(reducing) <= abs(held)
            assert reducing * held <= 0

    @invariant()
    def what_may_not_be_shorted_is_not(self) -> None:
        assert self.world.ledger.positions[2] >= 0

    @invariant()
    def orders_and_fills_agree(self) -> None:
        filled: dict[int, int] = {}
        for fill in self.world.fills:
            filled[fill.sequence] = filled.get(fill.sequence, 0) + fill.lots
        for order in [*self.world.path.orders, *self.world.venue.working]:
            assert order.filled == filled.get(order.sequence, 0)
            if order.status is OrderStatus.FILLED:
                assert order.filled == order.lots


PathModel.TestCase.settings = settings(
    max_examples=80, stateful_step_count=20, deadline=None, phases=PHASES
)
TestPathModel = PathModel.TestCase


class SteadyPrices(RuleBasedStateMachine):
    """Prices never move, so only our own orders and their costs can: gross stays within."""

    @initialize(cost=st.sampled_from([0, 30, 300]), gross=st.sampled_from([0.4, 1.5]))
    def begin(self, cost: int, gross: float) -> None:
        limits = limit_config(gross=gross, per_symbol=1.0, daily_loss=1.0, drawdown=1.0)
        self.world = World(LISTED, costs=CostModel(cost, cost), limits=limits)

    @rule(wanted=targets, present=flags, volume=volumes)
    def tick(self, wanted: list[float], present: list[bool], volume: list[float]) -> None:
        self.world.tick(wanted, [10_000, 300, 2_000], present=present, volume=volume)
        gross, _ = self.world.ledger.exposure(self.world.marks)
        assert gross <= Fraction(str(self.world.limits.config.gross)) * self.world.equity


SteadyPrices.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, phases=PHASES
)
TestSteadyPrices = SteadyPrices.TestCase
