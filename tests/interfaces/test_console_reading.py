"""A line becomes a call: by position, by name, and what is said of a line that is none."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.commands import SPECS
from mirrorcore.interfaces.console.catalogue import STOP, Catalogue
from mirrorcore.interfaces.console.lines import candidates
from mirrorcore.interfaces.console.reading import Request, read, words_of

CATALOGUE = Catalogue.of(spec.document() for spec in SPECS.values())


def call(line: str) -> Request:
    return read(words_of(line), CATALOGUE)


LINES: list[tuple[str, str, dict[str, Any]]] = [
    ("pause_agent EgoProcessor", "pause_agent", {"target": "EgoProcessor"}),
    ("pause_agent target=kind:voter", "pause_agent", {"target": "kind:voter"}),
    ("pause_agent --target '*'", "pause_agent", {"target": "*"}),
    ("adjust_risk gross 0.5", "adjust_risk", {"name": "gross", "value": 0.5}),
    ("adjust_risk value=0.5 gross", "adjust_risk", {"name": "gross", "value": 0.5}),
    ("adjust_risk --value=0.5 name=gross", "adjust_risk", {"name": "gross", "value": 0.5}),
    ("orders 5   # the newest", "orders", {"limit": 5}),
    ("profit by=agent", "get_performance", {"by": "agent"}),
    ("annotate the venue was slow today", "annotate", {"text": "the venue was slow today"}),
    ("annotate 'a=b' ", "annotate", {"text": "a=b"}),
    ("annotate -- --reason is a word here", "annotate", {"text": "--reason is a word here"}),
    ("rebalance_weights A=0.5,B=0.2", "rebalance_weights", {"weights": {"A": 0.5, "B": 0.2}}),
    ('rebalance_weights \'{"A": 1}\'', "rebalance_weights", {"weights": {"A": 1}}),
    ("rebalance_weights method=equal --max-shift 0.3", "rebalance_weights",
     {"method": "equal", "max_shift": 0.3}),
    ("reset_circuit X", "reset_breaker", {"target": "X"}),
    ("coo O12", "cancel_order", {"order": "O12"}),
    ("status", "status", {}),
]  # fmt: skip
"""A line as it is typed, the command that it is, and its arguments; on the page too."""


@pytest.mark.parametrize(("line", "name", "args"), LINES)
def test_a_line_is_read(line: str, name: str, args: dict[str, Any]) -> None:
    request = call(line)
    assert (request.name, dict(request.args)) == (name, args)


def test_what_belongs_to_the_call_does_not_reach_the_command() -> None:
    request = call("pause_agent X --reason 'it is loud' --yes --dry-run --json")
    assert dict(request.args) == {"target": "X"}
    assert (request.reason, request.yes, request.dry_run, request.json) == (
        "it is loud", True, True, True,
    )  # fmt: skip


@pytest.mark.parametrize(("line", "says"), [
    ("pause_agent", "needs target"),
    ("pause_agnt X", "no command 'pause_agnt'"),
    ("adjust_risk gross", "needs value"),
    ("adjust_risk gross much", "value was 'much', must be a number"),
    ("adjust_risk gross much", "as adjust_risk NAME VALUE"),
    ("ack_alert x", "as ack_alert ID"),
    ("adjust_risk grss 1", "must be gross or net"),
    ("adjust_risk gros 0.5", "did you mean gross?"),
    ("emergency_stop flaten", "did you mean flatten?"),
    ("orders --limt 3", "did you mean limit?"),
    ("orders 1.5", "must be a whole number"),
    ("orders limit=1 limit=2", "given twice"),
    ("orders --colour red", "has no argument '--colour'"),
    ("pause_agent --target", "needs a value"),
    ("positions now", "takes no 'now'"),
    ("adjust_risk gross 1 now", "takes no 'now'"),
    ("rebalance_weights much", "must be as A=0.5,B=0.2"),
    ("rebalance_weights A=inf", "must be as A=0.5,B=0.2"),
    ("adjust_risk gross nan", "value was 'nan', must be a number"),
    ("emergency_stop level=hard", "must be cancel or flatten"),
    ("annotate 'open", "No closing quotation"),
])  # fmt: skip
def test_a_line_that_is_none_says_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(MirrorCoreError) as caught:
        call(line)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_wrong_name_has_the_nearest_in_its_hint() -> None:
    with pytest.raises(MirrorCoreError, match="pause_agnt") as caught:
        call("pause_agnt X")
    assert "pause_agent" in caught.value.hint


def test_the_stop_known_beforehand_is_the_registry_s() -> None:
    (from_registry,) = Catalogue.of([SPECS["emergency_stop"].document()]).entries.values()
    assert [one.name for one in STOP.parameters] == [one.name for one in from_registry.parameters]
    mine, theirs = STOP.parameters[0], from_registry.parameters[0]
    assert (mine.choices, mine.default) == (theirs.choices, theirs.default)
    assert (STOP.role, STOP.changes) == (from_registry.role, from_registry.changes)


@pytest.mark.parametrize(("text", "offered"), [
    ("pau", ["pause_agent", "pause_entries"]),
    ("pause_agent Ego", ["EgoProcessor"]),
    ("pause_agent target=F", ["target=FearAnalyzer"]),
    ("adjust_risk gro", ["gross"]),
    ("emergency_stop ", ["cancel", "flatten"]),
    ("emergency_stop lev", ["level="]),
    ("help emer", ["emergency_stop"]),
    ("qu", ["quit"]),
    ("nothing ", []),
])  # fmt: skip
def test_completion_knows_commands_agents_and_choices(text: str, offered: list[str]) -> None:
    assert candidates(text, CATALOGUE, ["EgoProcessor", "FearAnalyzer"]) == offered
