"""The page behind ``?``: keys, the filter language, and the commands of this role."""

from __future__ import annotations

from mirrorcore.interfaces.console.catalogue import Catalogue
from mirrorcore.interfaces.terminal.board import FIELDS
from mirrorcore.interfaces.terminal.look import BOLD, DIM
from mirrorcore.interfaces.terminal.pane import Line, line
from mirrorcore.interfaces.terminal.text import fit, wrap

KEYS = (
    ("1 … 7", "agents, one agent, flow, data sources, risk and decisions, audit, findings"),
    ("F10, X", "emergency stop: once more and orders are cancelled, f closes positions too"),
    (":", "a command, completed with Tab; what it did stands above the keys"),
    ("/", "filter of the agents; :filter and :sort take the same by name"),
    ("s S", "next sort, turned round; rows are put in order once a second"),
    ("f", "the cursor follows its row, or keeps its place"),
    ("t", "what the sparklines show: pnl, confidence, mailbox"),
    ("space", "pause the view; the swarm goes on, and how far is counted"),
    ("enter", "the agent under the cursor; on screen 5 the reasons of a decision in full"),
    ("[ ]", "on screen 2: the agent before and after"),
    ("p", "write the command that pauses or resumes the agent"),
    ("w", "on screen 5: why, in full, asked of the swarm"),
    ("y", "copy the row as JSON"),
    ("tab", "the next list of a screen"),
    ("esc", "back to the agents; there it takes the filter away"),
    ("q", "quit; the swarm goes on"),
)
_TERMS = (
    ("kind:risk,mind", "the column begins with one of these"),
    ("health:bad", "the word beside the number: ok, warn, bad"),
    ("pnl>0  health<80%", "a number compared: < <= > >= = !="),
    ('fear  "two words"', "any column of text contains it"),
    ("!status:running", "the opposite"),
)


def help_lines(catalogue: Catalogue, width: int) -> list[Line]:
    """Everything that can be pressed or typed."""
    lines: list[Line] = [_pair(key, what, 20) for key, what in KEYS]
    lines += [line(""), line("FILTER", BOLD)]
    lines += [_pair(term, what, 20) for term, what in _TERMS]
    columns = ", ".join(field.name for field in FIELDS)
    lines += [line(part, DIM) for part in wrap(f"columns: {columns}", width)]
    lines += [line(""), line("COMMANDS", BOLD)]
    if not catalogue.entries:
        lines.append(line("not known before the swarm was reached", DIM))
    for known in catalogue.entries.values():
        lines.append(_pair(known.usage(), known.summary, 44))
    return lines


def _pair(left: str, right: str, room: int) -> Line:
    return ((fit(left, room) + " ", BOLD), (right, None))
