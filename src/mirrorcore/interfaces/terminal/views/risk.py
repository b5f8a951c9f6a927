"""Screen 5: limits and their use, positions, orders, and the newest decisions with why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.grid import Cell
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, Pane, Scroller, line, title
from mirrorcore.interfaces.terminal.text import fit, gauge, number, price, share
from mirrorcore.interfaces.terminal.views.new_risk import kept_out
from mirrorcore.interfaces.terminal.views.table import Row, Table, text
from mirrorcore.interfaces.terminal.views.view import View, day_and_moment, moment

_ORDER = ("gross", "net", "per_symbol", "daily_loss", "drawdown", "order_rate", "price_collar",
          "stale_after")  # fmt: skip
_SHARES = ("equity", "price")
_ROOMY = 66
"""Cells from which a limit's line has room for what it may be loosened to."""
_NEAR = 0.8
"""Use of a limit from which it is said to be near."""


class RiskView(View):
    """Limits and positions on the left, decisions on the right; the one chosen says why."""

    heading = "risk and decisions"
    keys = (("tab", "next list"), ("w", "why in full"))

    DEFAULT_CSS = """
    RiskView Horizontal { height: 1fr; }
    RiskView #risk-left { width: 3fr; }
    RiskView #risk-right { width: 4fr; padding-left: 1; }
    RiskView #limits { height: 13; }
    RiskView #decisions { height: 1fr; min-height: 6; }
    RiskView #reasons { height: 2fr; }
    RiskView #positions { height: 1fr; }
    RiskView #orders { height: 1fr; }
    RiskView .head { height: 1; }
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self.limits = Pane(self._limits, name="limits")
        self.positions = Table(_POSITIONS, empty="no symbols", name="positions")
        self.orders = Table(_ORDERS, empty="no order yet", name="orders")
        self.decisions = Table(_DECISIONS, empty="no decision yet", name="decisions")
        self.reasons = Scroller(self._reasons, name="reasons")

    @property
    def first(self) -> Widget:
        return self.decisions

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="risk-left"):
                yield self.limits
                yield _head(" POSITIONS")
                yield self.positions
                yield _head(" ORDERS", "the newest first")
                yield self.orders
            with Vertical(id="risk-right"):
                yield _head(" DECISIONS", "the newest of each symbol")
                yield self.decisions
                yield self.reasons

    def draw(self) -> None:
        tables = self.board.seen.tables
        symbols = self.board.seen.top.get("symbols") or []
        self.limits.update()
        self.positions.fill(_by_symbol(tables["pos"], symbols))
        self.decisions.fill(_by_symbol(tables["dec"], symbols))
        orders = sorted(tables["ord"].values(), key=_placed, reverse=True)
        self.orders.fill(orders)
        self.reasons.update()

    def on_grid_moved(self) -> None:
        self.reasons.update()

    def copied(self) -> Any:
        for table in (self.positions, self.orders):
            if table.has_focus:
                return table.item
        return self.decisions.item

    def why(self) -> str:
        """The id that ``why`` takes for what the cursor stands on; empty where there is none."""
        item, decision = self.copied() or {}, self.decisions.item
        if decision is not None and item is decision:
            # A decision is of a whole tick: which symbol is asked about has to be said.
            return f"{decision['id']} {decision['symbol']}"
        return str(item.get("id") or item.get("trade") or "")

    # -- limits --------------------------------------------------------------------------------

    def _limits(self, width: int, height: int) -> list[Line]:
        seen = self.board.seen
        gateway = str(seen.top.get("gw", "–"))
        style = OK if gateway == "active" else BAD
        reason = seen.top.get("gw_reason") or ""
        lines: list[Line] = [
            ((" GATEWAY ", BOLD), (f"{gateway.upper()} ", style), (reason, WARN)),
            self._blocked(),
            title(" LIMITS", "used / in force" + (" … ≤ at most" if width >= _ROOMY else "")),
        ]
        for name in [name for name in _ORDER if name in seen.tables["risk"]]:
            lines.append(_limit(name, seen.tables["risk"][name], width))
        return lines

    def _blocked(self) -> Line:
        found = kept_out(self.board.seen.top)
        if not found:
            return line(" nothing keeps new risk out", DIM)
        return line(f" ■ no new risk: {', '.join(found)}", BAD)

    # -- why -----------------------------------------------------------------------------------

    def _reasons(self, width: int, height: int) -> list[Line]:
        decision = self.decisions.item
        if decision is None:
            return []
        votes = decision.get("votes") or []
        lines = [
            line(""),
            title(f" WHY {decision.get('id')} {decision['symbol']}",
                  f"decided {day_and_moment(decision.get('t'))} UTC"),
            *_story(decision),
            line(""),
            title(" VOTES", f"{len(votes)} of {decision.get('voters', '–')} moved it most"),
            line(fit("  agent", 26) + "".join(fit(word, 10, right=True) for word in
                 ("rise", "weight", "pull", "market")) + "  said at", DIM),
        ]  # fmt: skip
        return [*lines, *(_vote(vote) for vote in votes)]


def _placed(order: Mapping[str, Any]) -> tuple[int, int]:
    """When an order was placed, and which of its tick it was."""
    return int(order.get("t") or 0), int(str(order.get("id") or "O0")[1:])


def _head(text: str, note: str = "") -> Pane:
    return Pane(lambda _width, _height: [title(text, note)], classes="head")


def _by_symbol(rows: dict[str, dict[str, Any]], symbols: list[str]) -> list[Row]:
    """In the run's own order; what is of no symbol of the run comes last."""
    rest = sorted(set(rows) - set(symbols))
    return [{"symbol": one, **rows[one]} for one in [*symbols, *rest] if one in rows]


def _limit(name: str, row: Row, width: int) -> Line:
    roomy = width >= _ROOMY
    room = max(6, width - (60 if roomy else 43))
    unit, used, bound = str(row.get("unit", "")), row.get("now"), row.get("limit")
    part = used / bound if isinstance(used, int | float) and bound else None
    near = part is not None and part > _NEAR
    word = "■ BINDS" if row.get("bound") else "▲ near" if near else "● ok"
    style = BAD if row.get("bound") else WARN if near else OK
    hits = row.get("hits") or 0
    if part is None:  # it judges one order at a time, and is never used up
        bar, word = "by order", word if row.get("bound") else ""
    else:
        bar = gauge(part, room)
    return (
        (f" {name:<13}", None),
        (f"{_use(used, unit):>8} / {_use(bound, unit):<7} ", BOLD),
        (fit(bar, room), DIM),
        (f" {word:<8}", style),
        (f"{number(hits, 0)} hits" if hits and roomy else "", WARN),
        (f" ≤ {_use(row.get('most'), unit)}" if roomy else "", DIM),
    )


def _use(value: object, unit: str) -> str:
    return share(value) if unit in _SHARES else number(value, 0)


def _story(decision: Row) -> list[Line]:
    """From forecast to order, one step a line."""
    get = decision.get
    lines: list[Line] = [
        ((" forecast  ", DIM), (f"{share(get('forecast'))} that it rises", BOLD),
         (f", edge {number(get('edge'), 3, signed=True)}, market "
          f"{number(get('market_edge'), 3, signed=True)}", None)),
        ((" belief    ", DIM), (f"conviction {number(get('conviction'))}, consensus "
                                f"{number(get('consensus'))}", None)),
        ((" target    ", DIM), (share(get("target"), 2, signed=True), BOLD),
         (f" of equity, held {share(get('held'), 2, signed=True)}", None)),
        ((" gate      ", DIM),
         (f"× {number(get('gate'))} = {share(get('wanted'), 2, signed=True)}", None),
         ("  silent: may only shrink" if get("silent") else "", WARN)),
    ]  # fmt: skip
    for clip in get("clips") or ():
        where = clip.get("sym") or "the whole book"
        lines.append(
            ((" limit     ", DIM),
             (f"▲ {clip.get('limit')} on {where}: asked {share(clip.get('asked'), 2)}, allowed "
              f"{share(clip.get('allowed'), 2)}", WARN))
        )  # fmt: skip
    if get("blocked"):
        lines.append(((" blocked   ", DIM), (", ".join(map(str, get("blocked") or ())), BAD)))
    orders = ", ".join(str(one) for one in get("orders") or ())
    lines.append(((" orders    ", DIM), (orders or "none", BOLD if orders else None)))
    return lines


def _vote(vote: Row) -> Line:
    pull = vote.get("pull")
    style = None if not pull else OK if pull > 0 else WARN
    return (
        (fit(f"  {vote.get('a')}", 26), None),
        (f"{share(vote.get('p')):>10}", None),
        (f"{number(vote.get('w'), 3, signed=True):>10}", None),
        (f"{number(pull, 4, signed=True):>10}", style),
        (f"{number(vote.get('market'), 4, signed=True):>10}", DIM),
        (f"  {moment(vote.get('t'))}", DIM),
    )


def _share_of(key: str) -> Any:
    def cell(row: Row) -> Cell:
        return share(row.get(key), 2, signed=True), None

    return cell


def _number_of(key: str, digits: int = 2, *, signed: bool = False) -> Any:
    def cell(row: Row) -> Cell:
        return number(row.get(key), digits, signed=signed), None

    return cell


def _time_of(key: str) -> Any:
    def cell(row: Row) -> Cell:
        return moment(row.get(key)), DIM

    return cell


def _result(row: Row) -> Cell:
    value = row.get("upnl")
    return number(value, signed=True), None if not value else OK if value > 0 else WARN


def _side(row: Row) -> Cell:
    return ("↑ buy", OK) if row.get("side") == 1 else ("↓ sell", WARN)


def _filled(row: Row) -> Cell:
    filled, quantity = row.get("filled"), row.get("qty")
    part = filled / quantity if isinstance(filled, int | float) and quantity else None
    return share(part, 0), None


def _status(row: Row) -> Cell:
    status = str(row.get("status", "–"))
    return status.replace("partially_", "part "), {
        "vetoed": BAD,
        "cancelled": WARN,
        "filled": OK,
    }.get(status)


_POSITIONS = (
    ("symbol", 12, False, text("symbol")),
    ("quantity", 11, True, _number_of("qty", 4, signed=True)),
    ("mark", 11, True, lambda row: (price(row.get("mark")), None)),
    ("weight", 8, True, _share_of("weight")),
    ("wanted", 8, True, _share_of("wanted")),
    ("open pnl", 11, True, _result),
)
_ORDERS = (
    ("order", 6, False, text("id")),
    ("at", 8, False, _time_of("t")),
    ("symbol", 10, False, text("sym")),
    ("side", 6, False, _side),
    ("quantity", 10, True, _number_of("qty", 4)),
    ("filled", 6, True, _filled),
    ("status", 11, False, _status),
    ("reason", 10, False, text("reason")),
    ("outcome", 24, False, text("outcome", WARN)),
)
_DECISIONS = (
    ("decision", 9, False, text("id")),
    ("at", 8, False, _time_of("t")),
    ("symbol", 12, False, text("symbol")),
    ("rise", 7, True, lambda row: (share(row.get("forecast")), None)),
    ("held", 8, True, _share_of("held")),
    ("target", 8, True, _share_of("target")),
    ("wanted", 8, True, _share_of("wanted")),
    ("orders", 10, False, lambda row: (", ".join(map(str, row.get("orders") or ())) or "–", None)),
)
