"""The documentation is true: its code runs, its settings load, its commands and links exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mirrorcore import load_config
from mirrorcore.interfaces.commands import SPECS
from mirrorcore.market.instruments import Instrument
from mirrorcore.swarm.recruiting import recruit

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ROOT / "docs" / "evidence"
"""Pages in here are written by `make evidence`, not by an author."""
PAGES = sorted(
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if not page.is_relative_to(WRITTEN)
)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Snippet:
    """A fenced block; ``file`` is the name a reader is told to save it under, if any."""

    page: Path
    line: int
    language: str
    file: str
    code: str


def snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        words = found["info"].split()
        named = [word.removeprefix("file=") for word in words if word.startswith("file=")]
        line = text.count("\n", 0, found.start()) + 2
        yield Snippet(page, line, (words or [""])[0], "".join(named), found["code"])


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "docs_tables", ROOT / "scripts" / "docs_tables.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as a reader has one."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("mirrorcore_user_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_every_block_says_what_it_is() -> None:
    known = {"python", "toml", "bash", "text", "json"}
    odd = [
        f"{one.page.relative_to(ROOT)}:{one.line} {one.language!r}"
        for page in PAGES
        for one in snippets(page)
        if one.language not in known
    ]
    assert not odd, "\n".join(odd)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_code_runs_as_printed(page: Path, workplace: Path) -> None:
    """Files are saved under their names, Python runs top to bottom, settings make a swarm."""
    names: dict[str, Any] = {"__name__": "__docs__"}
    for one in snippets(page):
        if one.file:
            (workplace / one.file).write_text(one.code, encoding="utf-8")
        elif one.language == "python":
            # Numbered as on the page, so that a traceback points at the documentation.
            exec(compile("\n" * (one.line - 1) + one.code, str(page), "exec"), names)
        if one.language == "toml":
            path = workplace / (one.file or "block.toml")
            path.write_text(one.code, encoding="utf-8")
            loaded = load_config(path, {})
            assert not loaded.warnings, f"{page.name}:{one.line}: {loaded.warnings}"
            assert recruit(loaded.config)


def test_there_is_code_to_run() -> None:
    count = {page.name: sum(one.language == "python" for one in snippets(page)) for page in PAGES}
    assert count["agents.md"] >= 4
    assert count["syncbus.md"] >= 2
    assert count["README.md"] >= 1


def test_the_first_agent_fits_twenty_lines() -> None:
    first = next(one for one in snippets(ROOT / "README.md") if one.language == "python")
    assert len(first.code.strip().splitlines()) <= 20


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", prose(page)):
        link = target[0] or target[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
        elif not file.is_relative_to(ROOT):
            broken.append(f"{link} leads out of the project")
    assert not broken, f"{page.name}: {broken}"


def anchors(file: Path) -> set[str]:
    """The anchors of a Markdown page's headings, made as forges make them."""
    headings = re.findall(r"^#+ (.*)$", prose(file), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", prose(page)):
            if not re.match(r"[a-z]+:", link):
                todo.append((page.parent / link).resolve())
    assert set(PAGES) <= reached, sorted(str(page) for page in set(PAGES) - reached)


def test_evidence_that_was_written_is_shown() -> None:
    pages = sorted(WRITTEN.glob("*.md")) if WRITTEN.is_dir() else []
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in pages if str(page.relative_to(ROOT)) not in text]
    assert not missing, f"README.md does not link {missing}"


def test_the_readme_opens_with_both_commands() -> None:
    lines = [
        line.strip()
        for one in snippets(ROOT / "README.md")
        if one.language == "bash"
        for line in one.code.splitlines()
    ]
    assert "make run" in [line.split("#")[0].strip() for line in lines[:4]]
    assert "make test" in [line.split("#")[0].strip() for line in lines[:4]]


def commands_shown() -> list[tuple[str, str]]:
    shown = []
    for page in PAGES:
        for one in snippets(page):
            if one.language == "bash":
                shown += [(page.name, line) for line in one.code.splitlines()]
        shown += [(page.name, code) for code in re.findall(r"`([^`\n]+)`", prose(page))]
    return [(page, line.split("#")[0].strip()) for page, line in shown]


def test_commands_shown_exist() -> None:
    tree = dict(tables().command_tree())
    seen, wrong = 0, []
    for page, line in commands_shown():
        words = shlex.split(line) if "'" not in line else line.split()
        if not words or Path(words[0]).name != "mirrorcore" or len(words) == 1:
            continue
        path = next(
            (
                " ".join(["mirrorcore", *words[1 : 1 + depth]])
                for depth in (3, 2, 1)
                if " ".join(["mirrorcore", *words[1 : 1 + depth]]) in tree
            ),
            None,
        )
        if path is None:
            if words[1:] != ["--help"] and not any(p.startswith(line + " ") for p in tree):
                wrong.append(f"{page}: {line}: no such command")
            continue
        seen += 1
        options = {"--help"} | {
            flag
            for p in tree[path].params
            for flag in (*getattr(p, "opts", ()), *getattr(p, "secondary_opts", ()))
        }
        if path == "mirrorcore ctl":  # beside its own it takes those of the command it gives
            spec = SPECS.get(words[2]) if len(words) > 2 else None
            options |= {f"--{param.name}" for param in (spec.params if spec else ())}
        wrong += [
            f"{page}: {line}: no option {word}"
            for word in words
            if word.startswith("-") and word.split("=")[0] not in options
        ]
    assert not wrong, "\n".join(wrong)
    assert seen >= 15


def test_make_targets_shown_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    shown = {
        (page, found[1])
        for page, line in commands_shown()
        if (found := re.match(r"make ([a-z-]+)$", line))
    }
    assert shown
    assert {name for _, name in shown} <= targets


def test_paths_shown_exist() -> None:
    """What is named in backticks as a path of the tree is there."""
    path = r"(src|tests|benchmarks|scripts|docs|requirements|\.ci)/[\w./-]*"
    wrong = [
        f"{page.name}: {code}"
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`", prose(page))
        if re.fullmatch(path, code) and not (ROOT / code).exists()
    ]
    assert not wrong, "\n".join(wrong)


def test_settings_shown_exist() -> None:
    """What is named in backticks as ``[section]`` or ``section.key`` is a setting."""
    from mirrorcore.config import describe

    keys = {note.key for note in describe()}
    sections = {key.rpartition(".")[0].split(".")[0] for key in keys} - {""}
    wrong = []
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", prose(page)):
            section = re.fullmatch(r"\[+([a-z_.]+)\]+", code)
            if section and not any(key.startswith(section[1] + ".") for key in keys):
                wrong.append(f"{page.name}: {code}")
            key = re.fullmatch(r"([a-z_]+)\.([a-z_.]+)( = .*)?", code)
            if key and key[1] in sections - {"agent"}:
                name = f"{key[1]}.{key[2]}"
                endings = (".py", ".md", ".sqlite", ".json", ".html", ".parquet", ".msgpack")
                if not name.endswith(endings) and name not in keys:
                    wrong.append(f"{page.name}: {code}")
    assert not wrong, "\n".join(wrong)


def test_tables_are_up_to_date() -> None:
    """`python scripts/docs_tables.py` writes them; this only compares."""
    marked = {
        name
        for page in PAGES
        for name in re.findall(r"<!-- table: (\w+) -->", page.read_text(encoding="utf-8"))
    }
    assert marked == set(tables().TABLES), "a table that is generated but shown nowhere, or missing"
    stale = [
        page.name
        for page in PAGES
        if (text := page.read_text(encoding="utf-8")) != tables().rendered(text)
    ]
    assert not stale, f"run python scripts/docs_tables.py for {stale}"


def test_every_case_of_the_intake_is_explained() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    from mirrorcore.market.intake import Case

    for case in Case:
        assert case is Case.NONE or f"| `{case.name}` | {case.action.value} |" in text


def test_patterns_shown_are_those_looked_for() -> None:
    from mirrorcore.data_sources.file_names import DEFAULT_PATTERNS, SUFFIXES

    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for pattern in (*DEFAULT_PATTERNS, *SUFFIXES):
        assert f"`{pattern}`" in text, pattern


def test_defaults_told_in_prose_hold() -> None:
    """Figures that the architecture page quotes are those of the code."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    from mirrorcore.config import RunConfig
    from mirrorcore.swarm.engine import CHECKPOINT_TICKS
    from mirrorcore.swarm.gate import DEAD_BAND
    from mirrorcore.syncbus.edge import RING

    config = RunConfig()
    for sentence in (
        f"{config.costs.fee_bps:g} bp fee",
        f"{config.costs.slippage_bps:g} bp slippage",
        f"{config.costs.participation:.0%} of the bar's volume".replace("%", " %"),
        f"{config.risk.volatility_target:.0%} a year".replace("%", " %"),
        f"drawdown limit of {config.risk.drawdown:.0%}".replace("%", " %"),
        f"every {CHECKPOINT_TICKS:,} ticks",
        f"more than {DEAD_BAND:g}",
        f"last {RING} deltas",
    ):
        assert sentence in text, sentence
    assert Instrument.__struct_defaults__[0].as_tuple().exponent == -8
    assert "tick and lot of 1e-8" in text


def test_figures_of_the_readme_hold() -> None:
    from mirrorcore.config import RunConfig
    from mirrorcore.interfaces.cli import demo
    from mirrorcore.swarm.recruiting import STANDARD

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    market = RunConfig().market
    assert (len(STANDARD), "twenty-two agents" in text) == (22, True)
    assert f"{demo.SYMBOLS} symbols, {market.bar_count:,} bars of five minutes" in text
    assert (demo.SPEED * 10**9 / market.bar, "four bars a second" in text) == (4.0, True)
    assert f"{demo.CRASHED} is made to crash" in text
    assert f"for {demo.SECONDS:g} seconds elsewhere" in text
    assert (demo.WATCHED_SECONDS / 60, "five minutes on a\n   terminal" in text) == (5.0, True)


def test_hints_name_settings_that_exist() -> None:
    """What an error tells a user to write must not be called unknown when he does."""
    from mirrorcore.config import describe

    keys = {note.key for note in describe()}
    last = {key.rpartition(".")[2] for key in keys}
    seen, wrong = 0, []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.keyword) and node.arg == "hint"):
                continue
            text = "".join(
                str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant)
            )
            for name in re.findall(r"([a-z_]+(?:\.[a-z_]+)*) = ", text):
                seen += 1
                if name not in keys and not ("." not in name and name in last):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.value.lineno}: {name}")
    assert not wrong, "\n".join(wrong)
    assert seen >= 5


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "img").iterdir())
    assert pictures
    limits = {".png": 300_000, ".svg": 20_000}
    for picture in pictures:
        assert picture.stat().st_size <= limits[picture.suffix], picture.name
        users = [page for page in PAGES if picture.name in page.read_text(encoding="utf-8")]
        assert users, f"{picture.name} is shown nowhere"


def test_every_name_of_the_guide_is_accounted_for() -> None:
    """The migration page names what the guide names, those that come later included."""
    text = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    for name in (
        "SyncBus", "HighPerformanceSyncBus", "ResilientSyncBus", "DataPipeline",
        "MarketDataProcessor", "DataSourceManager", "DataCategorizer", "BaseAgent",
        "AgentDashboard", "ConsoleMonitor", "CommandInterface", "InteractiveConsole",
        "EmergenceMonitor", "CoordinationDetector", "BehaviorDriftDetector",
        "NovelStrategyDetector", "register_agent", "update_agent_state", "get_relevant_states",
        "get_all_states", "get_historical_states", "broadcast_market_update", "send_command",
        "broadcast_command", "process_tick", "collect_all_data", "process_market_update",
        "Python 3.9", "bayes_opt", "tabulate", "dash", "CCXT", "pandas",
    ):  # fmt: skip
        assert f"`{name}`" in text, name


def test_an_example_asks_about_what_every_run_has() -> None:
    """A run has T1 before it has any other trade, and only what was not paper is attributed."""
    asked = [
        (snippet, line)
        for page in PAGES
        for snippet in snippets(page)
        if snippet.language == "bash"
        for line in snippet.code.splitlines()
    ]
    trades = [line.split()[2] for _, line in asked if re.match(r"mirrorcore why T\d", line)]
    assert trades
    assert set(trades) == {"T1"}
    for snippet, line in asked:
        if line.startswith("mirrorcore attribution last"):
            before = snippet.code.partition(line)[0]
            assert "mirrorcore backtest" in before, f"{snippet.page.name}: {line}"


def test_the_page_on_sources_names_the_extra_its_example_needs() -> None:
    page = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    section = page.partition("## Write a source")[2]
    assert "'mirrorcore-x[sources]'" in section.partition("```python")[0]
