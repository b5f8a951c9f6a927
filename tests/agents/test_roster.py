"""Agents from names, parameters and users' files; mistakes are told and not thrown about."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from agents_world import CONTEXT, FakeHandle

from mirrorcore.agents.analysts.momentum_scout import MomentumScout
from mirrorcore.agents.base import BaseAgent, BlockAgent
from mirrorcore.agents.roster import (
    ROSTER,
    agent_class,
    construct,
    load_agent_class,
    parameters,
)
from mirrorcore.clock import HOUR, VirtualClock
from mirrorcore.errors import ConfigError


@pytest.mark.parametrize("name", [*ROSTER])
def test_each_agent_is_built_from_its_name_alone(name: str) -> None:
    agent = construct(name, "mine")
    assert agent.agent_id == "mine"
    assert type(agent).__name__ == name
    assert agent.kind not in {"agent", name}, "a kind that reads like an id would be refused"
    assert type(agent).state, "the fields of the roster are declared"


@pytest.mark.parametrize("name", [*ROSTER])
def test_each_parameter_can_be_set_to_its_default(name: str) -> None:
    cls = agent_class(name)
    defaults = {key: p.default for key, p in parameters(cls).items() if key != "data_interests"}
    told, plain = vars(construct(name, "mine", defaults)), vars(construct(name, "mine"))
    assert told.keys() == plain.keys()
    simple = {key: one for key, one in plain.items() if isinstance(one, int | float | str | tuple)}
    assert {key: told[key] for key in simple} == simple


def test_the_roster_loads_no_class_before_it_is_asked_for() -> None:
    import subprocess

    code = (
        "import sys, mirrorcore.agents.roster as r;"
        "loaded = [m for m in r.ROSTER.values() if m in sys.modules];"
        "assert not loaded, loaded; assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_durations_are_text() -> None:
    agent = construct("MomentumScout", "m", {"half_life": "90m", "strength": 1})
    assert isinstance(agent, MomentumScout)
    assert agent.half_life_ns == HOUR * 3 // 2
    assert construct("ArchCtrl", "gate", {"stale_after": "2h"}).agent_id == "gate"


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("MomentumScuot", {}, ["MomentumScuot", "did you mean MomentumScout?"]),
        ("momentum_scout", {}, ["did you mean MomentumScout?"]),
        ("Astrologer", {}, ["Astrologer", "known are: DataSentry"]),
        ("MomentumScout", {"half_lfe": "1h"}, ["'half_lfe'", "did you mean half_life?"]),
        ("MomentumScout", {"zzz": 1}, ["'zzz'", "known are: half_life, strength"]),
        ("MomentumScout", {"half_life": 3600}, ["half_life was 3600", '"12h"']),
        ("MomentumScout", {"half_life": "soon"}, ["half_life", "'soon'", "not a duration"]),
        ("MomentumScout", {"strength": "big"}, ["strength was 'big', must be a number"]),
        ("MomentumScout", {"strength": True}, ["strength was True, must be a number"]),
        ("DataSentry", {"halt_after": 2.5}, ["halt_after was 2.5, must be a whole number"]),
        ("ArchCtrl", {"ego": 7}, ["ego was 7, must be text"]),
        ("RiskSentinel", {"taper_from": 3.0}, ["taper_from", "between 0 and 0.99"]),
    ],
)
def test_a_mistake_is_told(kind: str, params: dict[str, object], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        construct(kind, "mine", params)
    for text in said:
        assert text in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        construct("MomentumScout", "mine", {"half_lfe": "1h", "strength": "big"})
    text = str(caught.value)
    assert "'mine' (MomentumScout)" in text
    assert "half_lfe" in text
    assert "strength was 'big'" in text


# -- users' own ---------------------------------------------------------------------------------

GUIDE = """
from mirrorcore.agents.base import BaseAgent

class Contrarian(BaseAgent):
    def __init__(self, agent_id, strength=0.5):
        super().__init__(agent_id, ["technical"])
        self.strength = strength

    async def _analyze(self, relevant_data):
        rises = {
            symbol: values.get("return_1", 0.0)
            for symbol, values in relevant_data["technical"].items()
        }
        return {"signal": {s: -self.strength if r > 0 else self.strength for s, r in rises.items()}}
"""


def written(tmp_path: Path, text: str, name: str = "own_agent.py") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_an_agent_in_the_guides_form_is_loaded_and_runs(tmp_path: Path) -> None:
    import asyncio

    cls = load_agent_class(written(tmp_path, GUIDE), "Contrarian")
    assert issubclass(cls, BaseAgent)
    assert not issubclass(cls, BlockAgent)
    agent = construct(cls, "mine", {"strength": 0.2})
    clock = VirtualClock(0)

    class Listening(FakeHandle):
        published: object = None

        def publish(self, delta: object) -> int:
            Listening.published = delta
            return 1

    handle = Listening("mine", clock, ())
    agent.attach(handle, clock, np.random.default_rng(0), CONTEXT)  # type: ignore[arg-type]
    data = {"technical": {"AAA/USD": {"return_1": 0.01}, "BBB/USD": {"return_1": -0.01}}}
    asyncio.run(agent.process_market_update({**data, "macro": {"AAA/USD": {"rate": 1.0}}}))
    assert Listening.published == {"signal": {"AAA/USD": -0.2, "BBB/USD": 0.2}}


def test_the_only_agent_of_a_file_needs_no_name(tmp_path: Path) -> None:
    assert load_agent_class(written(tmp_path, GUIDE)).__name__ == "Contrarian"
    two = GUIDE + "\nclass Other(Contrarian):\n    pass\n"
    with pytest.raises(ConfigError, match="agents in it: Contrarian, Other"):
        load_agent_class(written(tmp_path, two))
    with pytest.raises(ConfigError, match="agents in it: none"):
        load_agent_class(written(tmp_path, "x = 1\n"))


def test_a_changed_file_is_read_anew_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = written(tmp_path, GUIDE)
    first = load_agent_class(file)
    written(tmp_path, GUIDE.replace("0.5", "0.9"))
    second = load_agent_class(file)
    assert [parameters(cls)["strength"].default for cls in (first, second)] == [0.5, 0.9]
    assert [entry.name for entry in tmp_path.iterdir()] == ["own_agent.py"]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (GUIDE, "Contrarain", ["no class 'Contrarain'", "did you mean Contrarian?"]),
        (GUIDE + "\nclass Plain:\n    pass\n", "Plain", ["Plain is no agent", "BaseAgent"]),
        ("import this_is_not_there\n", "A", ["ModuleNotFoundError", "line 1"]),
        ("x = 1\n\ny = x / 0\n", "A", ["ZeroDivisionError", "line 3"]),
        ("def broken(:\n    pass\n", "A", ["SyntaxError", "line 1"]),
        ("def f():\n    raise RuntimeError('no')\n\nf()\n", "A", ["RuntimeError: no", "line 2"]),
    ],
)
def test_a_mistake_in_a_users_file_is_told(
    tmp_path: Path, text: str, name: str, said: list[str]
) -> None:
    file = written(tmp_path, text)
    before = set(sys.modules)
    with pytest.raises(ConfigError) as caught:
        load_agent_class(file, name)
    for part in [*said, str(file)]:
        assert part in str(caught.value)
    broken = {
        module for module in set(sys.modules) - before if module.startswith("mirrorcore_user")
    }
    assert not broken or name in {"Contrarain", "Plain"}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no agent file .*missing\.py"):
        load_agent_class(tmp_path / "missing.py", "A")


def test_a_users_constructor_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    text = GUIDE.replace("self.strength = strength", "raise KeyError('strength')")
    cls = load_agent_class(written(tmp_path, text))
    with pytest.raises(ConfigError) as caught:
        construct(cls, "mine")
    assert "Contrarian cannot be built: KeyError: 'strength'" in str(caught.value)
    assert "line 7" in str(caught.value)


def test_a_parameter_that_has_to_be_given(tmp_path: Path) -> None:
    cls = load_agent_class(written(tmp_path, GUIDE.replace("strength=0.5", "strength")))
    with pytest.raises(ConfigError, match="parameter 'strength' is missing"):
        construct(cls, "mine")
    with pytest.raises(ConfigError, match="did you mean strength"):
        construct(cls, "mine", {"strenght": 1})
