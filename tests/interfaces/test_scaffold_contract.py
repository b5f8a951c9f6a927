"""``agents test``: every promise is seen to be broken by an agent that breaks it, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from command_calls import EXAMPLES, PROGRAM, Caller

from mirrorcore.clock import MILLISECOND
from mirrorcore.swarm.contract import ContractReport, patience

GUIDE = """
from mirrorcore import BaseAgent
import random

class Rogue(BaseAgent):
    cadence_ns = 3_600_000_000_000{extra}

    async def _analyze(self, relevant_data):
        signal = {{}}
        for symbol, values in relevant_data["technical"].items():
            z = values["z_96"]
{body}
        return {{"signal": signal, "confidence": 0.5 if signal else 0.0}}
"""
BLOCK = """
import numpy as np
from mirrorcore import BlockAgent, StateField
from mirrorcore.market.features.filters import Ema

class Rogue(BlockAgent):
    kind, votes = "rogue", True
    state = {{"forecast": StateField("a rise", "probability", 0, 1, "symbols", True)}}

    def __init__(self, agent_id="Rogue"):
        super().__init__(agent_id, ["technical"])

    def prepare(self):
        self.smooth = Ema(half_life_bars=50.0, columns=len(self.context.symbols))

    def _analyze(self, block):
        moved = block.value("technical", "return_1")
        known = np.isfinite(moved)
{body}
        return {{"forecast": np.where(known, 0.5 + 0.2 * np.clip(side, -1, 1), np.nan)}}
{extra}
"""
GOOD_BODY = "            if z == z: signal[symbol] = max(-1.0, min(1.0, -0.05 * z))"
GOOD_SIDE = "        side = self.smooth(np.sign(np.where(known, moved, 0.0)))"
REMEMBERS = """
    def remember(self):
        return {"smooth": self.smooth.checkpoint()}

    def recall(self, memory):
        self.smooth.restore(memory["smooth"])
"""

ROGUES = {
    "bounded and finite": (
        "guide",
        "            if z == z: signal[symbol] = 3.0 * z",
        "",
        "signal leaves -1",
    ),
    "bounded and finite on any market": (
        "guide",
        "            if z == z: signal[symbol] = -0.05 * z",
        "",
        "'signal' = -inf",
    ),
    "repeats itself to the bit": (
        "guide",
        "            if z == z: signal[symbol] = random.uniform(-1, 1)",
        "",
        "signal comes out otherwise",
    ),
    "missing data lowers confidence, or it says nothing": (
        "guide",
        "            signal[symbol] = 0.3",
        "",
        "confidence was 0.5 and is 0.5",
    ),
    "sees no future": (
        "block",
        "        side = np.concatenate([moved[1:], moved[-1:]]) * 1e3\n"
        "        known = known & np.isfinite(side)",
        REMEMBERS,
        "cut off after tick",
    ),
    "the same in blocks of 1, 7 and 4,096": (
        "block",
        "        side = np.sign(moved) * len(moved) / 1e4",
        REMEMBERS,
        "in blocks of 1 forecast",
    ),
    "goes on from its memory": (
        "block",
        GOOD_SIDE,
        "\n    def remember(self):\n        return {}\n"
        "\n    def recall(self, memory):\n        pass\n",
        "forecast comes out otherwise",
    ),
    "reads only what it declares": (
        "block",
        "        block.market.values['risk'].get('vol_ratio')\n" + GOOD_SIDE,
        REMEMBERS,
        "it reads risk and declares technical",
    ),
}
"""Promise -> form, body, what else is in the class, and what is said of it."""


def write_rogue(folder: Path, form: str, body: str, extra: str) -> Path:
    file = folder / "rogue.py"
    text = (GUIDE if form == "guide" else BLOCK).format(body=body, extra=extra)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("promise", ROGUES)
def test_a_broken_promise_is_named(call: Caller, tmp_path: Path, promise: str) -> None:
    form, body, extra, told = ROGUES[promise]
    file = write_rogue(tmp_path, form, body, extra)
    interests = ("--interests", "technical") if form == "guide" else ()
    done = call("agents", "test", str(file), *interests, "--json", runs=False)
    assert done.code == 5, done.err
    findings = {one["promise"]: one for one in done.document["findings"]}
    assert findings[promise]["verdict"] == "failed", done.out
    assert told in findings[promise]["detail"]
    assert findings[promise]["hint"]
    assert not done.document["passed"]


@pytest.mark.parametrize(("form", "body", "extra"), [
    ("guide", GOOD_BODY, ""),
    ("block", GOOD_SIDE, REMEMBERS),
])  # fmt: skip
def test_the_same_agents_put_right_pass(
    call: Caller, tmp_path: Path, form: str, body: str, extra: str
) -> None:
    file = write_rogue(tmp_path, form, body, extra)
    interests = ("--interests", "technical") if form == "guide" else ()
    done = call("agents", "test", str(file), *interests, runs=False)
    assert done.code == 0, done.out
    assert "✗" not in done.out
    assert done.out.rstrip().endswith("passed")


def test_an_exception_is_told_with_its_line(call: Caller, tmp_path: Path) -> None:
    file = write_rogue(tmp_path, "guide", "            raise RuntimeError('boo')", "")
    done = call("agents", "test", str(file), "--interests", "technical", runs=False)
    assert done.code == 5
    assert "failure: RuntimeError: boo" in done.out, "and its swarm saw it"
    assert f"RuntimeError: boo ({file}, line 12)" in done.out


def test_an_agent_without_interests_is_told_so(call: Caller, tmp_path: Path) -> None:
    file = write_rogue(tmp_path, "guide", GOOD_BODY, "")
    done = call("agents", "test", str(file), runs=False)
    assert done.code == 5
    assert "it declares no interests" in done.out


@pytest.mark.parametrize("name", ["ArchCtrl", "Allocator", "MyAgent"])
def test_agents_that_read_views_and_others_are_tried_in_their_swarm(
    call: Caller, name: str
) -> None:
    done = call(
        "agents", "test", name, "-c", str(EXAMPLES / "own_agents.toml"), "--json", runs=False
    )
    assert done.code == 0, done.out
    document = done.document
    assert document["agent_id"] == name
    assert document["calls"] >= 48
    assert sum(one["verdict"] == "passed" for one in document["findings"]) >= 7


@pytest.mark.parametrize(("arguments", "code", "told"), [
    (("MyAgnt",), 2, "did you mean MyAgent?"),
    (("nowhere.py",), 3, "there is no agent file"),
    (("MyAgent", "--class", "X"), 2, "belong to an agent's file"),
])  # fmt: skip
def test_a_wrong_name_is_an_error_with_the_right_one(
    call: Caller, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = call("agents", "test", *arguments, "-c", str(EXAMPLES / "own_agents.toml"), runs=False)
    assert done.code == code
    assert told in done.err


@pytest.mark.parametrize(("body", "told"), [
    ("            while True: pass", "while True: pass"),
    ("            await __import__('asyncio').Event().wait()", "beyond its deadline"),
])  # fmt: skip
def test_an_agent_that_does_not_end_is_ended(
    call: Caller, tmp_path: Path, body: str, told: str
) -> None:
    file = write_rogue(tmp_path, "guide", body, "")
    done = call("agents", "test", str(file), "--interests", "technical", "--json", runs=False)
    assert done.code == 5
    swarm, alone = done.document["findings"]
    assert told in swarm["detail"]
    assert (alone["verdict"], "do not come to an end" in alone["detail"]) == ("skipped", True)


def test_an_agent_that_waits_in_c_is_given_up_where_it_stands(tmp_path: Path) -> None:
    in_a_call = write_rogue(tmp_path, "guide", "            __import__('time').sleep(3600)", "")
    while_loading = tmp_path / "slow.py"
    while_loading.write_text("import time\n\ntime.sleep(3600)\n", encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, "agents", "test", "--interests", "technical"]
    started = [
        subprocess.Popen(
            [*command, str(file), *how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for file, how in ((in_a_call, ()), (while_loading, ("--json",)))
    ]
    try:
        (told, err), (document, err_too) = [one.communicate(timeout=120) for one in started]
    finally:
        for one in started:
            one.kill()
            one.communicate()
    assert [one.returncode for one in started] == [5, 5], (told, err, document, err_too)
    assert "Traceback" not in err + err_too
    assert f"Rogue has not come back for 10 s ({in_a_call}, line 12)" in told
    assert "FAILED" in told
    (finding,) = json.loads(document)["findings"]
    assert finding["verdict"] == "failed"
    assert "slow.py has not come back for 10 s" in finding["detail"]
    assert f"({while_loading}, line 3): time.sleep" in finding["detail"]
    assert "asyncio.sleep" in finding["hint"]


def test_many_short_calls_are_not_one_long_one(tmp_path: Path) -> None:
    file = tmp_path / "steady.py"
    file.write_text("def work(pause):\n    pause()\n", encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    given_up: list[ContractReport] = []
    gate = threading.Semaphore(0)
    limit_ns = 300 * MILLISECOND

    def enough(report: ContractReport) -> None:
        given_up.append(report)
        gate.release()

    with patience({str(file): "Steady"}, enough, limit_ns):
        for _ in range(10):
            names["work"](lambda: gate.acquire(timeout=0.06))
        assert not given_up
        names["work"](gate.acquire)
    (report,) = given_up
    assert report.agent_id == "Steady"
    assert f"({file}, line 2): pause()" in report.findings[0].detail


def test_an_agent_that_leaves_takes_nobody_with_it(call: Caller, tmp_path: Path) -> None:
    file = write_rogue(tmp_path, "guide", "            raise SystemExit(3)", "")
    done = call("agents", "test", str(file), "--interests", "technical", runs=False)
    assert done.code == 5
    assert "SystemExit: 3" in done.out


@pytest.mark.parametrize(("form", "body", "verdict", "told"), [
    ("guide", ROGUES["repeats itself to the bit"][1], "skipped", "comes out otherwise each time"),
    (
        "block",
        "        side = self.rng.normal(size=moved.shape[::-1]).T",
        "failed",
        "draw row by row",
    ),
])  # fmt: skip
def test_chance_is_not_called_the_future(
    call: Caller, tmp_path: Path, form: str, body: str, verdict: str, told: str
) -> None:
    file = write_rogue(tmp_path, form, body, REMEMBERS if form == "block" else "")
    interests = ("--interests", "technical") if form == "guide" else ()
    done = call("agents", "test", str(file), *interests, "--json", runs=False)
    assert done.code == 5, done.err
    findings = {one["promise"]: one for one in done.document["findings"]}
    future = findings["sees no future"]
    assert future["verdict"] == verdict
    assert told in future["detail"] + future["hint"]
    if verdict == "skipped":
        assert findings["repeats itself to the bit"]["verdict"] == "failed"
        assert findings["goes on from its memory"]["verdict"] == "skipped"
