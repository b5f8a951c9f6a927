"""The lines that are always there: status, link, keys."""

from __future__ import annotations

from rich.style import Style

from mirrorcore.clock import MILLISECOND, iso
from mirrorcore.interfaces.live.wire import VIEW_FAILED
from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.link import Link, LinkState
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, SHAPES, WARN
from mirrorcore.interfaces.terminal.pane import Line, Piece
from mirrorcore.interfaces.terminal.text import held_up, number, share

_LIVE_MODE = Style(bold=True, reverse=True, color="#e06a2b")
_LINK = {
    LinkState.LIVE: ("● live", OK),
    LinkState.CONNECTING: ("○ connecting", WARN),
    LinkState.STALE: ("▲ STALE", WARN),
    LinkState.HELD: ("▲ HELD UP", BAD),
    LinkState.LOST: ("■ LOST", BAD),
    LinkState.ENDED: ("■ ended", WARN),
}
_GATEWAY = {"active": ("●", OK), "reducing": ("▲", WARN), "halted": ("■", BAD)}
_BAR: Piece = (" │ ", DIM)


_NARROW = 134
"""Cells below which the day and the speed of the market are left out."""


def status_lines(board: Board, link: Link, width: int) -> list[Line]:
    """Mode, link, market; money; gateway; counts. A group that has no room is left out.

    Without a live link only what is said of the link keeps its colour.
    """
    live = link.state() is LinkState.LIVE
    line = _run(board, link, width)
    for group in (_gateway(board), _money(board), _counts(board), _activity(board)):
        wanted = [_BAR, *group] if group else []
        if sum(len(text) for text, _ in [*line, *wanted]) <= width:
            line += wanted if live else [(text, DIM) for text, _ in wanted]
    return [line]


def _run(board: Board, link: Link, width: int) -> list[Piece]:
    words, style = _LINK[link.state()]
    pieces: list[Piece] = [
        (f" {link.mode.upper() or 'NO SWARM'} ", _LIVE_MODE if link.mode == "live" else BOLD),
        (f" {words}", style),
    ]
    if board.paused:
        pieces.append((f"  PAUSED {board.behind:,} updates behind", WARN + BOLD))
    moment = iso(board.seen.ts * MILLISECOND)[:19].replace("T", " ") if board.seen.ts else ""
    if width < _NARROW:
        return [*pieces, (f"  {moment[11:16]}", None)]
    speed = board.seen.top.get("speed")
    fast = f" ×{speed:g}" if isinstance(speed, int | float) and speed != 1 else ""
    return [*pieces, (f"  {moment} UTC" if moment else "", None), (fast, DIM)]


def _money(board: Board) -> list[Piece]:
    top = board.seen.top
    if "eq" not in top:
        return []
    day = top.get("day")
    return [
        (f"{number(top['eq'])} {top.get('cur', '')} ", BOLD),
        (f"day {share(day, 2, signed=True)} ", _sign(day)),
        (f"dd {share(top.get('dd'), 2)}", None),
    ]


def _gateway(board: Board) -> list[Piece]:
    gateway = board.seen.top.get("gw")
    if gateway is None:
        return []
    shape, style = _GATEWAY.get(str(gateway), ("■", BAD))
    return [("gw ", DIM), (f"{shape} {str(gateway).upper()}", style)]


def _counts(board: Board) -> list[Piece]:
    top = board.seen.top
    health = top.get("hp")
    if not isinstance(health, list) or len(health) != 3:
        return []
    pieces: list[Piece] = [(f"{top.get('n', 0):,} agents", None)]
    for word, style, count in zip(SHAPES, (OK, WARN, BAD), health, strict=True):
        pieces.append((f" {SHAPES[word]}{count} {word}", style if count else DIM))
    names = board.seen.enums.get("st", [])
    for name, count in zip(names, top.get("st") or (), strict=False):
        if count and name not in ("running", "removed"):
            pieces.append((f" {count} {name}", WARN))
    return pieces


def _activity(board: Board) -> list[Piece]:
    top = board.seen.top
    if "fills" not in top:
        return []
    alerts = top.get("alerts", 0)
    pieces: list[Piece] = [(f"{top['fills']:,} fills {top.get('trades', 0):,} trades", DIM)]
    if alerts:
        pieces.append((f" ■ {alerts} alerts", BAD))
    return pieces


def _sign(value: object) -> Style | None:
    if not isinstance(value, int | float) or value == 0:
        return None
    return OK if value > 0 else WARN


def banner(link: Link) -> str:
    """What is wrong with the link, and what is being done; empty while all is well."""
    state = link.state()
    if state is LinkState.LOST:
        wait = link.countdown()
        when = f"again in {wait:.1f} s" if wait > 0 else "trying now"
        silent = f", figures are {link.silence():.0f} s old" if link.silence() else ""
        return f" ■ NO CONNECTION: {link.trouble}{silent} · {when}"
    if state is LinkState.STALE:
        return f" ▲ STALE: nothing heard for {link.silence():.0f} s; what you see is not of now"
    if state is LinkState.HELD:
        return f" ▲ {held_up(link.model.top)}; what you see is not of now"
    if state is LinkState.ENDED:
        if link.model.ended == VIEW_FAILED:
            return " ■ The run goes on, but cannot be shown any more; its warnings say why"
        return f" ■ The run has ended ({link.model.ended}); this is its last state"
    if state is LinkState.CONNECTING:
        return " ○ connecting …"
    return ""
