"""The rules that hold over the whole source tree, read from the source itself.

Each finding is printed as file:line, so that whoever broke a rule sees where.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mirrorcore

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "mirrorcore"

FLOORS = (
    ("clock", "errors", "recent"),
    ("config",),
    ("journal", "syncbus", "market"),
    ("agents", "data_sources", "trading", "emergence", "report", "exchange"),
    ("swarm",),
    ("interfaces",),
)
"""Lowest first. A room may import every lower floor, and no other room of its own."""

ALLOWED = {
    ("agents", "trading"): "desk agents watch orders and limits and use their types",
}
"""Imports within a floor that are permitted, with the reason."""

OPEN_ROOT = {
    "swarm/run.py": "a run writes the package's version into its identity",
    "interfaces": "the command line prints the package's version",
}
"""Where `mirrorcore` itself, and not a room of it, may be imported."""


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def modules() -> list[Path]:
    found = sorted(SOURCE.rglob("*.py"))
    assert len(found) > 100, "the source tree is not where this test looks for it"
    return found


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def room_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every import of a module wherever it stands: also lazy ones and those for types alone."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path, node)}: relative import"
            module = node.module or ""
            for alias in node.names:
                yield node, f"{module}.{alias.name}"


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted name of what is called."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_has_a_floor() -> None:
    known = {room for rooms in FLOORS for room in rooms}
    there = {room_of(path) for path in modules()} - {"__init__"}
    assert there <= known, f"rooms without a floor: {sorted(there - known)}"


def test_imports_point_one_way() -> None:
    wrong = []
    for path in modules():
        here = room_of(path)
        if here == "__init__":
            continue
        for node, name in imports(path):
            parts = name.split(".")
            if parts[0] != "mirrorcore":
                continue
            there = parts[1] if len(parts) > 1 else ""
            if not any(there in rooms for rooms in FLOORS):
                relative = path.relative_to(SOURCE).as_posix()
                if not any(relative.startswith(allowed) for allowed in OPEN_ROOT):
                    wrong.append(f"{place(path, node)}: imports the package itself ({name})")
            elif not (here == there or floor(there) < floor(here) or (here, there) in ALLOWED):
                wrong.append(f"{place(path, node)}: {here} may not import {there}")
    assert not wrong, "\n".join(wrong)


def test_tests_are_not_imported_by_the_source() -> None:
    # scipy, TA-Lib and empyrical are oracles: the code they judge must not lean on them.
    for path in modules():
        for node, name in imports(path):
            assert name.split(".")[0] not in {
                "tests",
                "benchmarks",
                "scipy",
                "talib",
                "empyrical",
                "pytest",
                "hypothesis",
            }, place(path, node)


CLOCKS = re.compile(
    r"^(time\.(?!struct_time)|datetime\.(now|utcnow|today)|date\.today"
    r"|datetime\.datetime\.(now|utcnow|today)|os\.times)"
)


LOOP_CLOCK = {
    "src/mirrorcore/swarm/pace.py": "bounds the wait for late answers; which counted is journalled",
}
"""Who may ask the event loop for its time, which is virtual in replay, with the reason."""


def test_only_the_clock_reads_a_clock() -> None:
    wrong = []
    for path in modules():
        if path.name == "clock.py" and path.parent == SOURCE:
            continue
        for node, name in imports(path):
            if name == "time" or name.startswith("time."):
                wrong.append(f"{place(path, node)}: imports time")
        for call, name in calls(path):
            if CLOCKS.match(name):
                wrong.append(f"{place(path, call)}: {name}()")
            if name.endswith("loop.time") and str(path.relative_to(ROOT)) not in LOOP_CLOCK:
                wrong.append(f"{place(path, call)}: {name}(), the event loop's clock")
    assert not wrong, "\n".join(wrong)


GENERATORS = {"SeedSequence", "Generator", "Philox", "PCG64", "default_rng", "BitGenerator"}


def test_randomness_is_seeded() -> None:
    wrong = []
    for path in modules():
        for node, name in imports(path):
            if name.split(".")[0] in {"random", "secrets", "uuid"}:
                wrong.append(f"{place(path, node)}: imports {name}")
        for call, name in calls(path):
            *before, last = name.split(".")
            if before[-1:] == ["random"] and last not in GENERATORS:
                wrong.append(f"{place(path, call)}: {name}() draws from the global generator")
            if last in {"default_rng", "SeedSequence", "Philox", "PCG64"} and not (
                call.args or call.keywords
            ):
                wrong.append(f"{place(path, call)}: {name}() without a seed")
            if name == "os.urandom":
                wrong.append(f"{place(path, call)}: {name}()")
    # The end of a run's id tells two runs of one second apart; it enters no fingerprint. A token is
    # a secret; nothing that decides ever sees one.
    allowed = {"src/mirrorcore/journal/runs.py", "src/mirrorcore/interfaces/api/tokens.py"}
    wrong = [line for line in wrong if line.split(":")[0] not in allowed]
    assert not wrong, "\n".join(wrong)


def set_names(tree: ast.Module) -> set[str]:
    """Names and attributes that a module annotates as a set or only ever assigns a set to."""
    sets, others = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            target = node.arg if isinstance(node, ast.arg) else dotted(node.target)
            kind = ast.unparse(node.annotation)
            (sets if re.match(r"(frozen)?set\b|AbstractSet\b", kind) else others).add(target)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                (sets if is_set(node.value, set()) else others).add(dotted(target))
    return sets - others


def is_set(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is a set as far as can be read off it."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return dotted(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.Name | ast.Attribute):
        return dotted(node) in names
    return isinstance(node, ast.BinOp) and (is_set(node.left, names) or is_set(node.right, names))


ORDERLESS = {"sorted", "set", "frozenset", "any", "all", "len", "sum", "min", "max"}


def test_nothing_iterates_over_a_set() -> None:
    wrong = []
    for path in modules():
        tree = tree_of(path)
        sets = set_names(tree)
        harmless = {
            id(argument)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in ORDERLESS
            for argument in node.args
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.For | ast.AsyncFor) and is_set(node.iter, sets):
                wrong.append(place(path, node))
            if (
                isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp)
                and any(is_set(part.iter, sets) for part in node.generators)
                and id(node) not in harmless
            ):
                wrong.append(place(path, node))
            if (
                isinstance(node, ast.Call)
                and (
                    dotted(node.func) in {"list", "tuple", "iter", "enumerate", "next"}
                    or dotted(node.func).endswith(".join")
                )
                and any(is_set(argument, sets) for argument in node.args)
            ):
                wrong.append(place(path, node))
    assert not wrong, "iterates over a set:\n" + "\n".join(wrong)


def test_nothing_prints() -> None:
    # What a user sees goes through the command line's own output, which --json can switch.
    wrong = [
        place(path, call) for path in modules() for call, name in calls(path) if name == "print"
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_swallowed() -> None:
    """No handler that catches everything and does nothing; no bare except."""
    wrong = []
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or dotted(node.type) in {"Exception", "BaseException"}
            empty = all(
                isinstance(part, ast.Pass | ast.Continue)
                or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
                for part in node.body
            )
            if node.type is None or (broad and empty):
                wrong.append(place(path, node))
    assert not wrong, "\n".join(wrong)


AS_USUAL = {
    ("process_frames.py", "NotImplemented"): "what a pickler answers for 'pickle it as usual'",
}
"""Words of open ends that mean something else where they stand, with the reason."""


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK", "placeholder", "NotImplemented"])
def test_nothing_is_left_open(word: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules()
        if (path.name, word) not in AS_USUAL
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(rf"\b{word}", line)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(tree_of(path))
    ]
    assert not silent, "\n".join(silent)


HEAVY = (
    "numpy",
    "pydantic",
    "polars",
    "plotly",
    "rich",
    "typer",
    "asyncio",
    "structlog",
    "msgspec",
)


def test_import_is_light() -> None:
    code = "import sys, json, mirrorcore; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    assert "mirrorcore" in loaded
    assert not loaded & set(HEAVY), f"import mirrorcore loads {sorted(loaded & set(HEAVY))}"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == mirrorcore.__version__


@pytest.mark.parametrize("name", ["run.lock", "dev.lock"])
def test_lock_files_name_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text)
    pinned = re.findall(r"^([a-z0-9_.-]+)(?:\[[^]]*\])?==\S+", text, re.M | re.I)
    assert len(pinned) > 10
    # Every pin carries hashes, so that what is installed is what was locked.
    for block in re.split(r"\n(?=[a-zA-Z0-9])", text.strip()):
        if "==" in block.splitlines()[0]:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    locked = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    locked += (ROOT / "requirements" / "run.lock").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        assert name is not None
        assert re.search(rf"^{re.escape(name[0])}==", locked, re.M | re.I), requirement


def test_no_wait_can_lose_a_cancellation() -> None:
    """``asyncio.wait_for`` of Python 3.11 does, where what is waited for ends at the same moment:
    a link to a swarm then went on for ever after it was told to stop."""
    told = [
        f"{path.name}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, text in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if "asyncio.wait_for(" in text
    ]
    assert told == []
