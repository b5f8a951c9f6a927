"""Layers, origins and mistakes of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.config import InvalidConfigError, Loaded, Mistake, RunConfig, load_config
from mirrorcore.config.quantities import TimeRange
from mirrorcore.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a configuration from text; the file is mirrorcore.toml in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def loader(
        text: str | bytes,
        environment: Mapping[str, str] | None = None,
        overrides: tuple[tuple[str, object], ...] = (),
        **more: Any,
    ) -> Loaded:
        file = tmp_path / "mirrorcore.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config("mirrorcore.toml", environment or {}, overrides, **more)

    return loader


def mistakes_of(load: Load, text: str | bytes, *more: Any, **named: Any) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        load(text, *more, **named)
    assert [str(one) in str(caught.value) for one in caught.value.mistakes]
    return [str(one) for one in caught.value.mistakes]


def test_an_empty_file_gives_the_defaults(load: Load) -> None:
    loaded = load("")
    assert loaded.config == RunConfig()
    assert loaded.warnings == ()
    assert {origin.kind for origin in loaded.origins.values()} == {"default"}
    assert load_config(None, {}).config == RunConfig()


def test_the_defaults_pass_their_own_checks() -> None:
    assert RunConfig.model_validate(RunConfig().model_dump()) == RunConfig()
    market = RunConfig().market
    assert market.symbol_count * market.bar_count == 840_960


def test_values_become_what_the_swarm_computes_with(load: Load) -> None:
    config = load(
        """
        [market]
        source = "recorded"
        directory = "data"
        timeframe = "1h"
        timerange = "20240101-20240301T1230"
        symbols = ["BTC/USDT"]
        [account]
        balance = 0.1
        [[agent]]
        id = "mine"
        class = "Mine"
        file = "mirrorcore.toml"
        cadence = "90m"
        params = {depth = 3}
        """
    ).config
    assert config.market.timeframe == HOUR
    assert config.market.symbol_names == ("BTC/USDT",)
    start = 1_704_067_200 * 10**9
    assert config.market.timerange == TimeRange(start, start + 60 * DAY + 12 * HOUR + 30 * MINUTE)
    assert config.account.balance == Decimal("0.1")
    assert config.agent[0].cadence == 90 * MINUTE
    assert config.agent[0].class_name == "Mine"
    assert config.agent[0].params == {"depth": 3}


def test_later_layers_win_and_each_value_knows_its_origin(load: Load) -> None:
    loaded = load(
        "seed = 1\n[risk]\ngross = 2\nnet = 0.5\nper_symbol = 0.3\n",
        {"MIRRORCORE__RISK__GROSS": "3", "MIRRORCORE__RISK__NET": "0.7", "HOME": "/nowhere"},
        (("risk.gross", 4.0), ("journal.mode", "full")),
    )
    config, origins = loaded.config, loaded.origins
    assert (config.risk.gross, config.risk.net, config.risk.per_symbol) == (4, 0.7, 0.3)
    assert str(origins["risk.gross"]) == "command line risk.gross"
    assert str(origins["risk.net"]) == "environment MIRRORCORE__RISK__NET"
    assert str(origins["risk.per_symbol"]) == "mirrorcore.toml:5"
    assert origins["risk.per_symbol"].line == 5
    assert str(origins["seed"]) == "mirrorcore.toml:1"
    assert str(origins["risk.drawdown"]) == "default"
    assert config.journal.mode == "full"


def test_a_list_of_tables_is_replaced_as_a_whole(load: Load) -> None:
    loaded = load(
        '[[agent]]\nid = "one"\ntype = "X"\n[[agent]]\nid = "two"\ntype = "X"\n',
        {"MIRRORCORE__AGENT": '[{id = "three", type = "Y"}]'},
    )
    assert [entry.id for entry in loaded.config.agent] == ["three"]
    assert str(loaded.origins["agent[1].id"]) == "environment MIRRORCORE__AGENT"
    assert str(loaded.origins["agent[1].cadence"]) == "default"
    assert "agent[2].id" not in loaded.origins


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("market.timeframe", "15m", 15 * MINUTE),
        ("market.timeframe", '"15m"', 15 * MINUTE),
        ("market.symbols", "BTC/USDT, ETH/USDT", ("BTC/USDT", "ETH/USDT")),
        ("market.symbols", "BTC/USDT", ("BTC/USDT",)),
        ("market.symbols", '["BTC/USDT"]', ("BTC/USDT",)),
        ("market.symbols", "3", 3),
        ("market.sparse", "false", False),
        ("account.currency", "1e5", "1e5"),
        ("account.balance", "1_000", Decimal(1000)),
        ("agents.without", "a,b", ("a", "b")),
        ("seed", "7", 7),
    ],
)
def test_text_of_variables_and_options_is_read_as_the_setting_needs(
    key: str, text: str, value: object
) -> None:
    section, _, name = key.rpartition(".")
    variable = "MIRRORCORE__" + key.upper().replace(".", "__")
    for loaded in (load_config(None, {variable: text}), load_config(None, {}, [(key, text)])):
        owner = getattr(loaded.config, section) if section else loaded.config
        assert getattr(owner, name) == value


def test_every_mistake_of_every_layer_at_once(load: Load) -> None:
    found = mistakes_of(
        load,
        "seeed = 5\n"
        "[markt]\n"
        "timeframe = 5\n"
        "preset = 'nul'\n"
        "[risk]\n"
        "drawdown = 20\n"
        "stale_after = true\n"
        "[[agent]]\n"
        "id = 'a b'\n",
        {"MIRRORCORE__RISK__NET": "much"},
        (("costs.fee_bps", -1.0), ("costs.fee", 1)),
    )
    assert found == [
        "mirrorcore.toml:1: seeed = 5: unknown key; did you mean seed?",
        "mirrorcore.toml:2: markt: unknown key; did you mean [market]?",
        'mirrorcore.toml:3: markt.timeframe = 5: has no unit of time: write "5m" for minutes, '
        '"5s" for seconds; did you mean "5m"?',
        'mirrorcore.toml:4: markt.preset = "nul": must be one of "default", "plain", "null"; '
        'did you mean "null"?',
        "mirrorcore.toml:6: risk.drawdown = 20: must be at most 1; did you mean 0.2 (20 %)?",
        "mirrorcore.toml:7: risk.stale_after = true: must be a whole number",
        'mirrorcore.toml:9: agent[1].id = "a b": must begin with a letter and hold only letters, '
        "digits, '.', '_' and '-'",
        'environment MIRRORCORE__RISK__NET: risk.net = "much": must be a number',
        "command line costs.fee: costs.fee = 1: unknown key; did you mean fee_bps?",
        "command line costs.fee_bps: costs.fee_bps = -1.0: must be at least 0",
    ]


SINGLE = {
    'preset = "null"': "unknown key here; did you mean preset under [market] or [agents]?",
    "max = 1": "unknown key; known here: schema_version, seed, market",
    '"seed " = 3': "the key has a space in it; did you mean seed?",
    '[market]\npreset = "null "': 'has a space at its start or end; did you mean "null"?',
    "[market]\nseed = 3": "belongs at the top, before the first [table]; did you mean seed?",
    "[market]\nfee_bps = 3": "unknown key here; did you mean fee_bps under [costs]?",
    "[market]\nshortable = true": "did you mean shortable under [[instruments]]?",
    '[market]\nsymbol = ["BTC/USDT"]': "unknown key; did you mean symbols?",
    "[costs]\nFee-Bps = 1": "unknown key; did you mean fee_bps?",
    'seed = "42"': "must be a whole number; did you mean 42?",
    "seed = 4.5": "must be a whole number",
    "seed = -1": "must be at least 0",
    "seed = 9223372036854775808": "must be below 9.22337e+18",
    "schema_version = 2": "a layout this version does not know; it reads 1",
    '[risk]\ngross = "1.5"': "must be a number; did you mean 1.5?",
    '[risk]\nnet = "40%"': "must be a number; did you mean 0.4?",
    "[risk]\nnet = nan": "must be a finite number",
    "[risk]\nnet = 0": "must be above 0",
    "[risk]\nper_symbol = 2": "is above risk.gross (1.5)",
    '[market]\nsparse = "no"': "must be true or false; did you mean false?",
    "[market]\npattern = 5": 'must be text in quotes; did you mean "5"?',
    '[market]\npattern = "*.csv"': "must hold {symbol}",
    '[market]\npattern = ""': "is empty",
    "[market]\nsymbols = 0": "must be 1 to 1000 symbols",
    "[market]\nsymbols = []": "names no symbol",
    "[market]\nsymbols = true": "must be a list such as",
    "[market]\nsymbols = [1]": "holds 1, must be a list of names in quotes",
    '[market]\nsymbols = ["A/B", "A/B"]': 'names "A/B" twice',
    '[market]\nsymbols = "A/B, C/D"': 'must be a list; did you mean ["A/B", "C/D"]?',
    '[market]\ntimeframe = "5 minutes"': 'did you mean "5m"?',
    '[market]\ntimeframe = "5min"': 'did you mean "5m"?',
    '[market]\ntimeframe = "1M"': 'names months, which have no fixed length; did you mean "30d"?',
    '[market]\ntimeframe = "5"': 'has no unit of time: must be a number with a unit',
    '[market]\ntimeframe = "-5m"': "has a sign, -: a duration is written without one",
    '[market]\ntimeframe = "soon"': "must be a number with a unit ms, s, m, h, d or w",
    '[market]\ntimeframe = "0s"': "must be longer than nothing",
    '[market]\ntimeframe = "0.0001ms"': "must be a whole number of milliseconds",
    '[market]\ntimeframe = true': "must be a duration in quotes",
    '[market]\nperiod = "1m"': "is shorter than one bar",
    '[market]\ntimerange = "20240301-20240101"': (
        'ends before it starts; did you mean "20240101-20240301"?'
    ),
    '[market]\ntimerange = "2024-01-01 to 2024-02-01"': 'did you mean "20240101-20240201"?',
    '[market]\ntimerange = "20241301-"': "which is no date such as 20240131",
    '[market]\ntimerange = "2024131-"': "which is no date such as 20240131",
    '[market]\ntimerange = "-"': 'must be "START-END"',
    "[market]\ntimerange = 20240101": 'must be "START-END"',
    '[market]\nsource = "recorded"': "needs a folder",
    '[market]\nsource = "recorded"\ndirectory = "."\nsymbols = 3': (
        "must be names: a number is for a simulated market"
    ),
    '[market]\ndirectory = ""': "is empty, must name a file or folder",
    '[account]\nbalance = "100,000"': "must be a number; did you mean 100000?",
    '[account]\nbalance = "lots"': "must be a number",
    "[account]\nbalance = inf": "must be a finite number",
    "[account]\nbalance = true": "must be a number",
    "market = 5": "is a section: its settings stand under [market]",
    "agent = 5": "is a section: its settings stand under [[agent]]",
    "agent = [5]": "is a section: its settings stand under [[agent]]",
    '[agent]\nid = "x"': "is a section: its settings stand under [[agent]]",
    '[market.series]\nname = "macro.x"': "its settings stand under [[market.series]]",
    '[[agent]]\ntype = "X"': "agent[1].id: is missing",
    '[[agent]]\nid = "x"\nparams = 5': "must be a table",
    '[[agent]]\nid = "x"\nparams = {a.b = [inf]}': "holds inf under a.b, must hold finite",
    '[[agent]]\nid = "x"\nparams = {day = 2024-01-31}': "holds a date or time under day",
    '[[agent]]\nid = "x"\ntype = "X"\nfile = "mirrorcore.toml"': "one must go",
    '[[agent]]\nid = "x"\nclass = "X"': "needs file",
    '[[agent]]\nid = "x"\nfile = "gone.py"': "there is no such file",
    '[[agent]]\nid = "x"\n[[agent]]\nid = "x"': "agent[2].id = \"x\": is taken by agent[1]",
    '[[instruments]]\nsymbol = "A/B"\ntick = 0': "must be above 0",
    '[[market.series]]\nname = "wind.x"\npath = "p"': "must be category.name",
    '[[faults]]\nagent = "x"\nat = 5\nkind = "rise"': 'did you mean "raise"?',
    "[market]\ntimeframe = 5m": 'text must stand in quotes; did you mean "5m"?',
    "[market]\nsparse = True": "is no TOML value; did you mean true?",
    "[market]\nic = none": "TOML has no null: leave the key out",
    "seed =": "has no value after the equals sign",
    "seed = 1\nseed = 2": "mirrorcore.toml:2: seed = 2: is set a second time in this table",
    "[market": "is not TOML",
    "[a]\n[a]": "is not TOML",
}  # fmt: skip


@pytest.mark.parametrize("text", SINGLE)
def test_one_mistake_gets_one_line_with_what_is_wrong(load: Load, text: str) -> None:
    found = mistakes_of(load, text)
    assert len(found) == 1
    assert SINGLE[text] in found[0]
    assert found[0].startswith("mirrorcore.toml:")


def test_lines_that_are_no_toml_do_not_hide_other_mistakes(load: Load) -> None:
    found = mistakes_of(
        load, "seed = yes\n[market]\ntimeframe = 5m\nbars = 0\n[[agent]]\nid = mine\n[costs]\nx = 1"
    )
    assert [line.split(": ")[0] for line in found] == [
        f"mirrorcore.toml:{line}" for line in (1, 3, 4, 6, 8)
    ]


def test_indices_stay_right_beside_elements_that_are_wrong(load: Load) -> None:
    agents = ["id = 5", "id = 'a'", "id = 6", "id = 'a'", "id = 'b'\nclass = 'B'"]
    found = mistakes_of(load, "".join(f"[[agent]]\n{agent}\n" for agent in agents))
    assert found == [
        'mirrorcore.toml:2: agent[1].id = 5: must be text in quotes; did you mean "5"?',
        'mirrorcore.toml:6: agent[3].id = 6: must be text in quotes; did you mean "6"?',
        'mirrorcore.toml:8: agent[4].id = "a": is taken by agent[2]',
        'mirrorcore.toml:11: agent[5].class = "B": needs file: the Python file that holds it',
    ]


def test_a_misspelt_section_is_judged_beside_the_right_one(load: Load) -> None:
    found = mistakes_of(load, "[rsk]\nnet = -1\ngross = -2\n[risk]\ngross = 'x'\n")
    assert [line.split(": ", 1)[1] for line in found] == [
        "rsk: unknown key; did you mean [risk]?",
        "rsk.net = -1: must be above 0",
        'risk.gross = "x": must be a number',
    ]


def test_names_of_other_rooms_are_checked_where_they_are_given(load: Load) -> None:
    text = (
        "[agents]\nwithout = ['fear', 'own', 'egoo']\n"
        "[[agent]]\nid = 'own'\ntype = 'MomentumScot'\n"
    )
    assert load(text).config.agents.without == ("fear", "own", "egoo")
    vocabulary = {"agent.type": ["MomentumScout"], "agents.without": ["ego", "fear"]}
    assert mistakes_of(load, text, vocabulary=vocabulary) == [
        'mirrorcore.toml:2: agents.without[3] = "egoo": there is no such agent; '
        'did you mean "ego"?',
        'mirrorcore.toml:5: agent[1].type = "MomentumScot": there is no such agent; '
        'did you mean "MomentumScout"?',
    ]
    unlike = mistakes_of(load, "[[agent]]\nid = 'x'\ntype = 'Zzz'", vocabulary=vocabulary)
    assert unlike[0].endswith("there is no such agent; known are MomentumScout")


def test_files_that_cannot_be_read(load: Load, tmp_path: Path) -> None:
    for name, problem in (("gone.toml", "there is no such file"), (".", "is a folder")):
        with pytest.raises(InvalidConfigError, match=problem):
            load_config(tmp_path / name, {})
    assert "is not UTF-8 text (byte 4)" in mistakes_of(load, b"a = \xff")[0]


def test_windows_line_ends_and_byte_order_mark_are_read(load: Load) -> None:
    assert load(b"\xef\xbb\xbfseed = 1\r\n[market]\r\nbars = 7\r\n").config.market.bars == 7


def test_mistakes_for_programs(load: Load) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        load("seeed = 5")
    assert isinstance(caught.value, ConfigError)
    assert caught.value.exit_code == 3
    assert caught.value.mistakes[0].to_dict() == {
        "origin": "file",
        "where": "mirrorcore.toml:1",
        "line": 1,
        "key": "seeed",
        "value": "5",
        "problem": "unknown key",
        "suggestion": "seed",
    }


def test_paths_are_relative_to_where_they_are_written(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "mine.py").write_text("")
    (folder / "c.toml").write_text(
        '[market]\nsource = "recorded"\ndirectory = "../data"\n'
        '[[agent]]\nid = "x"\nfile = "mine.py"\n'
    )
    config = load_config(folder / "c.toml", {}).config
    assert config.market.directory == folder / "../data"
    assert config.agent[0].file == folder / "mine.py"
    assert config.storage.runs == Path("runs")
    given = load_config(folder / "c.toml", {}, [("market.directory", "here")])
    assert given.config.market.directory == tmp_path / "here"


@pytest.mark.parametrize("name", ["~0", "~nobody-of-this-name/x"])
def test_a_tilde_that_is_nobodys_home_is_a_name(load: Load, tmp_path: Path, name: str) -> None:
    """As a shell reads it; what is somebody's home is expanded."""
    config = load(f'[market]\nsource = "recorded"\ndirectory = "{name}"\n').config
    assert config.market.directory == tmp_path / name
    home = load('[market]\nsource = "recorded"\ndirectory = "~/x"\n').config.market.directory
    assert home == Path.home() / "x"


def test_settings_that_are_not_read_are_warned_about(load: Load) -> None:
    loaded = load("[market]\nunit = 'ms'\nbars = 100\n", {"MIRRORCORE_RISK_GROSS": "3"})
    assert loaded.warnings == (
        "MIRRORCORE_RISK_GROSS is not read; did you mean MIRRORCORE__RISK__GROSS?",
        'mirrorcore.toml:2: market.unit = "ms": is not read, it is for market.source = "recorded"',
    )
    series = load("[[market.series]]\nname = 'macro.x'\npath = 'gone.csv'\n")
    assert [line.partition(" = ")[0] for line in series.warnings] == [
        "mirrorcore.toml:1: market.series"
    ]
    recorded = load("[market]\nsource = 'recorded'\ndirectory = '.'\nic = 0.01\n")
    assert [line.partition(" = ")[0] for line in recorded.warnings] == [
        "mirrorcore.toml:4: market.ic"
    ]


def test_a_fee_in_the_wrong_unit_is_warned_about(load: Load) -> None:
    (warning,) = load("[costs]\nfee_bps = 0.001\n").warnings
    assert warning.endswith("in basis points, and very small for that; did you mean 10?")


def test_other_variables_of_the_environment_are_left_alone() -> None:
    assert load_config(None, {"MIRRORCORE_WEB": "skip", "MIRROR": "1"}).warnings == ()


values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
SECTIONS = ("market", "agent", "faults", "risk", "instruments", "markt")
KEYS = ("seed", "gross", "symbols", "timeframe", "params", "id", "series", "timerange", "balance")
keys = st.sampled_from((*SECTIONS, *KEYS, "file", "without"))
tables = st.recursive(
    st.dictionaries(keys, values, max_size=4),
    lambda inner: st.dictionaries(keys, values | inner | st.lists(inner, max_size=2), max_size=5),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(tables)
def test_any_input_is_loaded_or_refused_with_reasons(table: dict[str, Any]) -> None:
    refused: tuple[Mistake, ...] = ()
    loaded = None
    try:
        loaded = load_config(None, {}, [*table.items(), ("costs.fee_bps", None)])
    except InvalidConfigError as error:
        refused = error.mistakes
    assert (loaded is None) == bool(refused)
    assert all(mistake.problem for mistake in refused)
