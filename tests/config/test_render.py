"""A configuration as TOML, as documentation and as a hash."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mirrorcore.clock import format_duration
from mirrorcore.config import RunConfig, config_hash, describe, load_config, to_toml
from mirrorcore.market.records import CATEGORIES

durations = st.integers(1, 10**10).map(lambda ms: format_duration(ms * 10**6))
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters=" "), min_size=1, max_size=8
).filter(lambda text: text == text.strip())
fractions = st.floats(1e-6, 1)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
plain = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table with any part of its fields."""
    return st.fixed_dictionaries({}, optional=fields)


raw_configs = table(
    seed=st.integers(0, 2**63 - 1),
    market=table(
        preset=st.sampled_from(["default", "plain", "null"]),
        ic=st.floats(0, 0.2),
        symbols=st.integers(1, 1000) | st.lists(texts, min_size=1, max_size=3, unique=True),
        timeframe=durations,
        bars=st.integers(1, 10**8),
        timerange=st.sampled_from(["20240101-", "-20240101T0130", "20240101-20240102"]),
        sparse=st.booleans(),
        series=st.lists(
            st.fixed_dictionaries(
                {"name": st.just("macro.x"), "path": texts}, optional={"lag": durations}
            ),
            max_size=1,
        ),
    ),
    account=table(balance=st.decimals("0.01", 10**15, places=6).map(str), currency=texts),
    risk=table(net=fractions, drawdown=fractions, orders_per_minute=st.integers(1, 1000)),
    agent=st.lists(
        st.fixed_dictionaries(
            {"id": names},
            optional={
                "params": st.dictionaries(texts, plain, max_size=3),
                "horizon": durations,
                "interests": st.lists(texts, max_size=3, unique=True),
            },
        ),
        max_size=3,
        unique_by=lambda entry: entry["id"],
    ),
    instruments=st.lists(
        st.fixed_dictionaries(
            {"symbol": st.just("A/B"), "tick": st.decimals("1e-9", 1000, places=9).map(str)}
        ),
        max_size=1,
    ),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(raw=raw_configs, explain=st.booleans())
def test_what_is_written_loads_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, Any], explain: bool
) -> None:
    raw.setdefault("market", {}).setdefault("bars", 1)
    config = RunConfig.model_validate(raw)
    file = tmp_path_factory.getbasetemp() / "round.toml"
    # Locations become absolute on loading, so a second writing settles them.
    file.write_text(to_toml(config, explain=explain), encoding="utf-8")
    loaded = load_config(file, {}).config
    assert config_hash(loaded) == config_hash(config)
    file.write_text(to_toml(loaded, explain=explain), encoding="utf-8")
    assert load_config(file, {}).config == loaded
    assert RunConfig.model_validate(loaded.model_dump(mode="json")) == loaded


def test_the_hash_is_of_the_meaning_not_the_spelling(tmp_path: Path) -> None:
    def of(text: str) -> str:
        file = tmp_path / "c.toml"
        file.write_text(text)
        return config_hash(load_config(file, {}).config)

    assert of("") == config_hash(RunConfig())
    assert of('risk.net = 1\nseed = 42\n[market]\nperiod = "8760h"\n') == of("")
    assert of('[account]\nbalance = "1e5"\n') == of("[account]\nbalance = 100_000.0\n") == of("")
    first, second = 'id = "a"\ntype = "X"\n', 'type = "X"\nid = "a"\n'
    assert of("[[agent]]\n" + first) == of("[[agent]]\n" + second)
    assert of("[[agent]]\n" + first) != of("")


def test_the_hash_leaves_places_out_and_nothing_else() -> None:
    base = RunConfig()
    assert config_hash(load_config(None, {}, [("storage.runs", "/elsewhere")]).config) == (
        config_hash(base)
    )
    here = load_config(None, {}, [("market.directory", "/here")]).config
    assert config_hash(here) == config_hash(base)
    changes = {
        "seed": 43,
        "market.preset": "plain",
        "market.symbols": 7,
        "market.timeframe": "1m",
        "costs.fee_bps": 11,
        "risk.drawdown": 0.3,
        "agents.without": ["fear"],
        "fusion.refit": "2h",
        "journal.mode": "full",
        "agent": [{"id": "a"}],
        "faults": [{"agent": "a", "at": 1}],
    }
    hashes = [config_hash(load_config(None, {}, [change]).config) for change in changes.items()]
    assert len({config_hash(base), *hashes}) == len(changes) + 1


def test_every_setting_is_documented_with_its_default() -> None:
    notes = describe()
    assert len({note.key for note in notes}) == len(notes)
    defaults = tomllib.loads(to_toml(RunConfig()))
    for note in notes:
        assert len(note.reason) > 10
        assert bool(note.default) != note.required
        section, _, name = note.key.rpartition(".")
        owner = defaults.get(section, {}) if section else defaults
        if isinstance(owner, dict) and name in owner:
            assert tomllib.loads(f"v = {note.default}")["v"] == owner[name]
    by_key = {note.key: note for note in notes}
    assert by_key["market.period"].default == '"365d"'
    assert by_key["market.series.lag"].default == '"0s"'
    assert by_key["market.ic"].default == "the preset's own: 0.006, and 0 for null"
    assert by_key["agent.class"].reason == "class of the agent within file"
    assert by_key["agent.id"].required


def test_an_explained_file_names_every_reason() -> None:
    text = to_toml(RunConfig(), explain=True)
    listed = ("agent.", "instruments.", "sources.", "faults.", "market.series.")
    reasons = [note.reason for note in describe() if not note.key.startswith(listed)]
    assert len(reasons) > 40
    assert all(f"# {reason}\n" in text for reason in reasons)


def test_the_categories_of_series_are_those_of_the_market() -> None:
    for category in CATEGORIES:
        series = {"name": f"{category}.x", "path": "p"}
        config = RunConfig.model_validate({"market": {"series": [series]}})
        assert config.market.series[0].name == f"{category}.x"
    with pytest.raises(ValidationError):
        RunConfig.model_validate({"market": {"series": [{"name": "mood.x", "path": "p"}]}})


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().market.preset = "null"  # type: ignore[misc]


def test_the_room_can_be_entered_without_pydantic() -> None:
    code = "import sys, mirrorcore.config; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
