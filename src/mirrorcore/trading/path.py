"""The one way from a target weight to an order.

Target weights → limits → lots → netting against the position and working orders → exposure, rate,
collar and staleness → gateway → venue. What reduces risk and what adds risk are separate orders,
so that a limit can refuse the second without touching the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mirrorcore.clock import HOUR
from mirrorcore.trading.currencies import Rate, burden
from mirrorcore.trading.exposure import WorstCase
from mirrorcore.trading.gateway import ACTIVE, Gateway, StopAuthority
from mirrorcore.trading.hits import LimitHit
from mirrorcore.trading.ledger import Ledger
from mirrorcore.trading.limits import Limits
from mirrorcore.trading.looks import Looks
from mirrorcore.trading.orders import VETOED, Fill, Order
from mirrorcore.trading.sizing import MIN_TRADE, Sizer
from mirrorcore.trading.venue import MatchingEngine

REVIEW_NS = HOUR
"""An unchanged target is sized again this often, so that what prices did to the weights is
corrected without being chased."""


class OrderPath:
    """Turns target weights into orders, once a tick; the only caller of a venue.

    Parameters
    ----------
    run_id: its first eight characters begin each client id.
    ledger, venue, limits, gateway: of the same run, over the same instruments.
    min_trade: smallest change of a position as a share of equity.

    Attributes
    ----------
    orders: finished orders (filled, cancelled, vetoed), to be drained. fills: likewise.
    looks: the looks at the gateway, one before each order.
    before_submit: asked to record each order that passed, before the venue hears of it. If it
        answers False the gateway turns to REDUCING, the order is vetoed if it adds risk and sent
        all the same if it reduces it. Paper and live commit the intent to the journal here.

    Within a tick: :meth:`book` what the venue filled, decide, :meth:`step`. ``step`` must be called
    every tick even where nothing changed: it watches the loss limits.
    """

    def __init__(
        self,
        run_id: str,
        ledger: Ledger,
        venue: MatchingEngine,
        limits: Limits,
        gateway: Gateway,
        *,
        min_trade: float = MIN_TRADE,
    ) -> None:
        self.ledger = ledger
        self.venue = venue
        self.limits = limits
        self.gateway = gateway
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.looks = Looks(gateway, venue)
        self.before_submit: Callable[[Order], bool] | None = None
        self._sizer = Sizer(ledger.units, min_trade)
        self._value = ledger.units.value
        self._rates: Sequence[Rate | None] | None = None
        self._unfit: Mapping[int, str] = {}
        self._minimum = ledger.units.minimum
        self._prefix = run_id[:8]
        self._sequence = 0
        self._targets = [0.0] * len(ledger.units)
        self._wanted = [0.0] * len(ledger.units)
        self._settled = False
        self._review = 0
        gateway.on_close.append(self._gateway_closed)

    @property
    def planned_at(self) -> int:
        """When the book was sized last, ns: what bound then still holds it."""
        return self._review - REVIEW_NS

    # -- the tick

    def book(self, ts: int, fills: Sequence[Fill]) -> None:
        """Enter what the venue filled, and take note of the orders it finished."""
        for fill in fills:
            self.ledger.book(fill)
        self.fills += fills
        if fills or self.venue.finished:
            self._settled = False
            self._collect(ts)

    def step(
        self,
        ts: int,
        targets: Sequence[float],
        price_ticks: Sequence[int],
        equity: int,
        fresh: Sequence[bool],
        halted: Mapping[int, str] | None = None,
    ) -> Sequence[Order]:
        """Send what brings the book to ``targets``; returns the orders that went out.

        Parameters
        ----------
        ts: instant of the decision, ns.
        targets: wanted weight per symbol, a list. A value that is not finite keeps the last one.
        price_ticks: marks, Python integers, 0 for a symbol without a price so far.
        equity: quanta of the account's currency at the mark.
        fresh: per symbol, False where the feed is stale; such a symbol takes no new risk.
        halted: symbols that take no new risk for another reason, with its name: their prices
            ``diverged`` between sources, their venue ``halted`` them, a source calls itself
            ``stale``.
        """
        self.looks.begin()
        self.looks.look(ts)
        if self.limits.observe(ts, equity):
            self._restricted(ts)
        self._judge(price_ticks, fresh, halted)
        if self.venue.working:
            self._withdraw_unfit(ts, fresh)
        if self._settled and targets == self._targets and ts < self._review:
            return ()
        return self._plan(ts, targets, price_ticks, equity, fresh)

    def _judge(
        self,
        price_ticks: Sequence[int],
        fresh: Sequence[bool],
        halted: Mapping[int, str] | None,
    ) -> None:
        """Take over the rates, and which symbols take no new risk because of them or a halt."""
        unfit = dict(halted) if halted else {}
        rates = self.ledger.rates
        if rates is not None:
            self.ledger.reprice(price_ticks)
            self._rates = rates.by_symbol(price_ticks)
            sound = [here and symbol not in unfit for symbol, here in enumerate(fresh)]
            for symbol, rate in enumerate(self._rates):
                cause = rates.refusal(symbol, rate, sound)
                if cause:
                    unfit.setdefault(symbol, cause)
        if unfit != self._unfit:
            self._unfit = unfit
            self._settled = False

    def flatten(
        self, ts: int, price_ticks: Sequence[int], authority: StopAuthority | None = None
    ) -> Sequence[Order]:
        """Withdraw what adds risk and send orders that close every position.

        Repeat it each tick until the book is flat: a bar may not have the volume for all of it.
        While the gateway is halted only the holder of its stop authority gets anything through.
        """
        self._withdraw_risk(ts, "stop")
        sent: list[Order] = []
        for symbol, held in enumerate(self.ledger.positions):
            exposure = held + self.venue.working_lots[symbol]
            if exposure:
                self._reduce(ts, symbol, -exposure, price_ticks, "stop", sent, authority)
        return sent

    def close(self, ts: int) -> None:
        """The run ends: withdraw what is still working."""
        for order in tuple(self.venue.working):
            self.venue.cancel(order, ts, "end of run")
        self._collect(ts)

    def drain(self, *, final: bool = False) -> tuple[list[Order], list[Fill], list[LimitHit]]:
        """Finished orders, fills and completed rows of hits since the last call, for the journal.

        Rows of hits are complete when their day is over; ``final`` hands out today's as well.
        """
        orders, self.orders = self.orders, []
        fills, self.fills = self.fills, []
        return orders, fills, self.limits.hits.take(final=final)

    # -- commands

    def stop(self, reason: str, *, ts: int, withdraw: bool = False) -> None:
        """Close the gateway and withdraw what adds risk, between two steps.

        ``withdraw``: also what reduces a position, so that nothing fills after this.
        """
        self.gateway.stop(reason, ts=ts)
        self._settled = False
        for order in tuple(self.venue.working) if withdraw else ():
            self.venue.cancel(order, ts, "stop")
        self._collect(ts)

    def own_id(self, client_id: str) -> str:
        """What this run calls the order that another run of the same inputs calls ``client_id``."""
        return f"{self._prefix}-{client_id.rpartition('-')[2]}"

    def cancel(self, client_id: str, *, ts: int) -> bool:
        """Withdraw a working order by command; False where none of that id works."""
        for order in self.venue.working:
            if order.client_id == client_id:
                self.venue.cancel(order, ts, "command")
                self._settled = False
                self._collect(ts)
                return True
        return False

    def adjust(self, name: str, value: float, *, confirmed: bool = False) -> tuple[float, float]:
        """Change a limit, as :meth:`Limits.adjust`, and size every position again."""
        change = self.limits.adjust(name, value, confirmed=confirmed)
        self._settled = False
        return change

    def resume(self, reason: str, *, ts: int, confirmed: bool = False) -> None:
        """Open the gateway again, with a confirmation; a drawdown that tripped counts from here."""
        self.gateway.resume(reason, ts=ts, confirmed=confirmed)
        if self.limits.tripped:
            self.limits.rearm()
        self._settled = False

    # -- planning

    def _plan(
        self,
        ts: int,
        targets: Sequence[float],
        price_ticks: Sequence[int],
        equity: int,
        fresh: Sequence[bool],
    ) -> list[Order]:
        if len(targets) != len(self._value) or type(price_ticks[0]) is not int:
            raise ValueError(
                f"{len(targets)} targets for {len(self._value)} symbols and prices of type "
                f"{type(price_ticks[0]).__name__}: must be one each, prices Python integers"
            )
        self._wanted = self._sizer.usable(ts, targets, self._wanted, self.limits.hits)
        if self.limits.tripped:
            reason, weights = "drawdown", [0.0] * len(targets)
        else:
            reason, weights = "target", self.limits.clip(ts, self._wanted)
        self._targets = list(targets)
        self._review = ts + REVIEW_NS
        self._settled = True
        positions, working = self.ledger.positions, self.venue.working_lots
        sent: list[Order] = []
        growing: list[tuple[int, int]] = []
        if self._rates is not None:
            self._note_unpriced(ts, weights)
        for symbol, gap in self._sizer.gaps(
            weights, price_ticks, equity, positions, working, self._rates
        ):
            if working[symbol] and (working[symbol] > 0) != (gap > 0):
                # Two orders against each other would pay twice for nothing.
                gap += working[symbol]
                self._withdraw(symbol, ts, "replaced")
            exposure = positions[symbol] + working[symbol]
            if exposure and gap and (exposure > 0) != (gap > 0):
                closing = gap if abs(gap) <= abs(exposure) else -exposure
                self._reduce(ts, symbol, closing, price_ticks, reason, sent)
                gap -= closing
            if gap:
                growing.append((symbol, gap))
        if growing:
            self._grow(ts, growing, price_ticks, equity, fresh, sent)
        return sent

    def _note_unpriced(self, ts: int, weights: Sequence[float]) -> None:
        """What cannot be sized, because its currency never had a rate, is written down."""
        for symbol, cause in self._unfit.items():
            if cause == "no_rate" and weights[symbol]:
                self._settled = False
                self.limits.hits.note(ts, cause, symbol, weights[symbol], 0.0)

    def _grow(
        self,
        ts: int,
        growing: Sequence[tuple[int, int]],
        price_ticks: Sequence[int],
        equity: int,
        fresh: Sequence[bool],
        sent: list[Order],
    ) -> None:
        """Send the orders that add risk, as far as every limit allows."""
        positions, working = self.ledger.positions, self.venue.working_lots
        worst: WorstCase | None = None
        for symbol, lots in growing:
            mark = price_ticks[symbol]
            asked = self._share(symbol, lots * mark * self._value[symbol], equity)
            cause = self._refusal(ts, symbol, fresh)
            if cause:
                self._veto(ts, symbol, lots, mark, cause, asked)
                continue
            if worst is None:
                worst = WorstCase(
                    positions,
                    working,
                    price_ticks,
                    self._value,
                    equity,
                    self.venue.costs,
                    self.limits.per_million,
                    growing,
                    self._rates,
                )
            allowed, limit = worst.take(
                symbol, positions[symbol], working[symbol], lots, self._minimum[symbol]
            )
            if not allowed:
                self._veto(ts, symbol, lots, mark, limit or "minimum", asked)
                continue
            if allowed != lots:
                self._settled = False
                self.limits.hits.note(ts, limit, symbol, asked, asked * allowed / lots)
            order = self._order(ts, symbol, allowed, mark, False, "target")
            order.bound = self.limits.bound(mark, allowed)
            self._send(ts, order, sent)

    def _share(self, symbol: int, notional: int, equity: int) -> float:
        """A notional of a symbol as a share of equity."""
        rate = None if self._rates is None else self._rates[symbol]
        if rate is not None:
            notional = burden(notional, rate)
        return notional / equity

    def _refusal(self, ts: int, symbol: int, fresh: Sequence[bool]) -> str:
        """Why no new risk may be taken in a symbol now; empty if it may."""
        self.looks.look(ts)
        if self.gateway.state is not ACTIVE:
            return "gateway"
        if self.limits.day_blocked:
            return "daily_loss"
        if not fresh[symbol]:
            return "stale_bars"
        if symbol in self._unfit:
            return self._unfit[symbol]
        if self.limits.rate_left(ts) <= 0:
            return "order_rate"
        return ""

    # -- single orders

    def _order(
        self, ts: int, symbol: int, lots: int, mark: int, reduce_only: bool, reason: str
    ) -> Order:
        self._sequence += 1
        sequence = self._sequence
        return Order(
            f"{self._prefix}-{sequence}", sequence, symbol, lots, ts, reduce_only, reason, mark
        )

    def _send(self, ts: int, order: Order, sent: list[Order]) -> None:
        lost = self.looks.intent_lost(ts)
        if self.before_submit is not None and not self.before_submit(order):
            self.looks.reduce("an order's intent could not be recorded", ts, unrecorded=True)
            lost = True
        if lost and not order.reduce_only:
            self._refuse(ts, order, "unrecorded")
            return
        self.limits.count_order(ts)
        self.venue.submit(order, ts)
        sent.append(order)

    def _reduce(
        self,
        ts: int,
        symbol: int,
        lots: int,
        price_ticks: Sequence[int],
        reason: str,
        sent: list[Order],
        authority: StopAuthority | None = None,
    ) -> None:
        """Send an order that brings a position nearer to zero; only a halted gateway stops it."""
        self.looks.look(ts)
        exposure = self.ledger.positions[symbol] + self.venue.working_lots[symbol]
        if self.gateway.admits_reduction(lots, exposure, authority):
            order = self._order(ts, symbol, lots, price_ticks[symbol], True, reason)
            self._send(ts, order, sent)
        else:
            self._veto(ts, symbol, lots, price_ticks[symbol], "gateway", 0.0, reduce_only=True)

    def _veto(
        self,
        ts: int,
        symbol: int,
        lots: int,
        mark: int,
        cause: str,
        asked: float,
        *,
        reduce_only: bool = False,
    ) -> None:
        """Nothing goes out; an order in the books only for the first of a row of hits."""
        self._settled = False
        if self.limits.hits.note(ts, cause, symbol, asked, 0.0):
            self._refuse(ts, self._order(ts, symbol, lots, mark, reduce_only, "target"), cause)

    def _refuse(self, ts: int, order: Order, cause: str) -> None:
        self._settled = False
        order.move(VETOED, ts)
        order.outcome = cause
        self.orders.append(order)

    # -- withdrawing

    def _withdraw(self, symbol: int, ts: int, outcome: str) -> None:
        for order in tuple(self.venue.working):
            if order.symbol == symbol:
                self.venue.cancel(order, ts, outcome)
        self._collect(ts)

    def _withdraw_risk(self, ts: int, outcome: str) -> None:
        self._settled = False
        for order in tuple(self.venue.working):
            if not order.reduce_only:
                self.venue.cancel(order, ts, outcome)
        self._collect(ts)

    def _withdraw_unfit(self, ts: int, fresh: Sequence[bool]) -> None:
        """An order that adds risk does not outlive the freshness it was decided on."""
        for order in tuple(self.venue.working):
            symbol = order.symbol
            cause = "" if fresh[symbol] else "stale_bars"
            cause = cause or self._unfit.get(symbol, "")
            if cause and not order.reduce_only:
                self._settled = False
                self.venue.cancel(order, ts, cause)
                self.limits.hits.note(ts, cause, symbol, 1.0, 0.0)
        self._collect(ts)

    def _gateway_closed(self, ts: int) -> None:
        self._withdraw_risk(ts, "gateway")

    def _restricted(self, ts: int) -> None:
        """A loss limit was reached, or a new day has lifted one."""
        self._settled = False
        if self.limits.day_blocked:
            self._withdraw_risk(ts, "daily_loss")
        if self.limits.tripped and self.gateway.state is ACTIVE:
            lost, limit = self.limits.drawdown, self.limits.config.drawdown
            self.gateway.reduce(
                f"drawdown {lost:.1%} reached the limit of {limit:.1%}: closing every position "
                "and staying flat until resumed",
                ts=ts,
            )

    def _collect(self, ts: int) -> None:
        """Take over what the venue finished; a fill refused by the collar is a hit."""
        for order in self.venue.finished:
            if order.refused is not None and order.mark:
                moved = abs(order.refused / order.mark - 1)
                collar = self.limits.config.price_collar
                self.limits.hits.note(ts, "price_collar", order.symbol, moved, collar)
        self.orders += self.venue.finished
        self.venue.finished.clear()

    # -- continuation

    def checkpoint(self) -> dict[str, Any]:
        """Plain state of the path and of its four parts; drain first, events are not in it."""
        return {
            "sequence": self._sequence,
            "targets": [repr(target) for target in self._targets],
            "wanted": list(self._wanted),
            "settled": self._settled,
            "review": self._review,
            "ledger": self.ledger.checkpoint(),
            "venue": self.venue.checkpoint(),
            "limits": self.limits.checkpoint(),
            "gateway": self.gateway.checkpoint(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint` to the bit."""
        self._sequence = state["sequence"]
        # As text, since a target may be NaN, which JSON does not have.
        self._targets = [float(target) for target in state["targets"]]
        self._wanted = list(state["wanted"])
        self._settled = state["settled"]
        self._review = state["review"]
        self.orders = []
        self.fills = []
        self.ledger.restore(state["ledger"])
        self.venue.restore(state["venue"])
        self.limits.restore(state["limits"])
        self.gateway.restore(state["gateway"])
