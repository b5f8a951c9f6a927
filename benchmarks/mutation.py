"""Mutation testing of the bus: one small fault at a time, and which test notices.

    python -m benchmarks.mutation breaker mailbox        # these modules
    python -m benchmarks.mutation --list dispatcher      # what would be tried
    python -m benchmarks.mutation --again breaker        # only those that survived last time

Each mutant is a module of ``mirrorcore.syncbus`` with one change: a comparison, an operator, a
constant, a condition, a statement left out, two statements swapped. It runs in a process forked
from one that has collected ``tests/syncbus``, the changed functions put in place of the old ones,
those tests first that killed most so far, until the first failure. A mutant that takes four times
the processor time of all tests, or longer than the limit of wall time, counts as killed: it hangs.
What is changed outside of functions is imported anew.
Results: ``docs/evidence/bus_mutation.json``; survivors are argued in ``bus_mutation.md`` there.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import resource
import selectors
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import hypothesis
import numpy as np
import pytest

from mirrorcore.clock import SECOND, Stopwatch

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "mirrorcore" / "syncbus"
TESTS = ROOT / "tests" / "syncbus"
RESULTS = ROOT / "docs" / "evidence" / "bus_mutation.json"
MODULES = (
    "breaker", "supervision", "supervisor", "mailbox", "edge", "edge_masked", "edge_stream",
    "edge_eager", "source", "dispatcher", "outcomes",
    "storm",
)  # fmt: skip

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLS = {"popleft": "pop", "append": "appendleft", "min": "max", "max": "min", "any": "all"}
_STATEMENTS = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise)


class Mutant:
    """One change of one module; ``name`` says where, ``change`` what.

    ``inside`` says that it is within a function, so that putting that in place is enough.
    """

    def __init__(self, module: str, node: ast.AST, change: str, tree: ast.Module) -> None:
        self.module = module
        self.line = line = getattr(node, "lineno", 0)
        column = getattr(node, "col_offset", 0)
        self.name = f"{module}:{line}:{column} {change}"
        self.source = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
        self.inside = any(
            function.lineno <= line <= (function.end_lineno or 0)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        )

    @property
    def code(self) -> CodeType:
        return compile(self.source, str(SOURCES / f"{self.module}.py"), "exec")

    @property
    def path(self) -> str:
        return f"mirrorcore.syncbus.{self.module}"


def mutants(module: str) -> Iterator[Mutant]:
    """All of one module, in the order of its lines."""
    tree = ast.parse((SOURCES / f"{module}.py").read_text())
    for node in list(_live_nodes(tree)):
        for change in _changes(node):
            yield Mutant(module, node, change, tree)


def _live_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """What decides something: no annotations, docstrings, texts of errors, lists of slots."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.arg):
            continue
        if isinstance(child, ast.Raise):
            yield child
            continue
        if isinstance(child, ast.AnnAssign):
            if child.value is not None:
                yield from _live_nodes(ast.Expression(child.value))
            continue
        if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) in (
            "__slots__",
            "memory",
        ):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _body(child)
            for statement in child.body:
                yield from _live_nodes(ast.Module([statement], []))
            continue
        yield child
        yield from _live_nodes(child)


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    yield function


def _changes(node: ast.AST) -> Iterator[str]:
    """Make each change in place, say what it is, and take it back."""
    if isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        yield from _swap(node, "op", _OPERATORS.get(type(node.op)))
    elif isinstance(node, ast.BoolOp):
        yield from _swap(node, "op", ast.Or if isinstance(node.op, ast.And) else ast.And)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(
        node.test, ast.Compare | ast.Constant
    ):
        yield from _negated(node)
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and not isinstance(node, ast.ClassDef | ast.Module):
            yield from _blocks(block)


def _comparisons(node: ast.Compare) -> Iterator[str]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            before = ast.unparse(node)
            node.ops[index] = other()
            yield f"{before}  =>  {ast.unparse(node)}"
            node.ops[index] = operator


def _swap(node: Any, field: str, other: type[ast.AST] | None) -> Iterator[str]:
    if other is None:
        return
    before, kept = ast.unparse(node), getattr(node, field)
    setattr(node, field, other())
    yield f"{before}  =>  {ast.unparse(node)}"
    setattr(node, field, kept)


def _constants(node: ast.Constant) -> Iterator[str]:
    kept = node.value
    if isinstance(kept, bool):
        others: tuple[Any, ...] = (not kept,)
    elif isinstance(kept, int):
        others = (kept + 1, kept - 1) if kept > 1 else (kept + 1,)
    elif isinstance(kept, float):
        others = (kept * 2,)
    else:
        others = ()
    for other in others:
        node.value = other
        yield f"{kept!r}  =>  {other!r}"
        node.value = kept


def _calls(node: ast.Call) -> Iterator[str]:
    function: Any = node.func
    field = "attr" if isinstance(function, ast.Attribute) else "id"
    kept = getattr(function, field, None)
    if kept in _CALLS:
        setattr(function, field, _CALLS[kept])
        yield f"{kept}  =>  {_CALLS[kept]}"
        setattr(function, field, kept)


def _negated(node: Any) -> Iterator[str]:
    kept = node.test
    node.test = (
        kept.operand
        if isinstance(kept, ast.UnaryOp) and isinstance(kept.op, ast.Not)
        else ast.UnaryOp(ast.Not(), kept)
    )
    yield f"if {ast.unparse(kept)}  =>  if {ast.unparse(node.test)}"
    node.test = kept


def _blocks(block: list[ast.stmt]) -> Iterator[str]:
    """Leave one statement out, leave a loop differently, return nothing, swap two."""
    for index, statement in enumerate(block):
        text = ast.unparse(statement).split("\n")[0]
        others: list[tuple[ast.stmt, str]] = []
        if isinstance(statement, _STATEMENTS) and not _is_text(statement):
            others.append((ast.Pass(), f"without: {text}"))
        elif isinstance(statement, ast.Break):
            others.append((ast.Continue(), "break  =>  continue"))
        elif isinstance(statement, ast.Continue):
            others.append((ast.Break(), "continue  =>  break"))
        elif isinstance(statement, ast.Return) and not _is_nothing(statement.value):
            others.append((ast.Return(ast.Constant(None)), f"{text}  =>  return None"))
        for other, change in others:
            block[index] = ast.copy_location(other, statement)
            yield f"{statement.lineno} {change}"
            block[index] = statement
        if index and _conflict(block[index - 1], statement):
            block[index - 1 : index + 1] = [statement, block[index - 1]]
            yield f"{statement.lineno} one earlier: {text}"
            block[index - 1 : index + 1] = [block[index], statement]


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _conflict(first: ast.stmt, second: ast.stmt) -> bool:
    """Whether the order of two plain statements may matter."""
    if not isinstance(first, _STATEMENTS[:3]) or not isinstance(second, _STATEMENTS[:3]):
        return False
    if _is_text(first):
        return False
    for one, other in ((first, second), (second, first)):
        targets = getattr(one, "targets", None) or [getattr(one, "target", None)]
        if any(target is not None and ast.unparse(target) in ast.unparse(other)
               for target in targets):  # fmt: skip
            return True
    return all(any(isinstance(n, ast.Call) for n in ast.walk(s)) for s in (first, second))


class _Changed(MetaPathFinder, Loader):
    """Imports one module from changed code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._name else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _put_in_place(mutant: Mutant) -> None:
    """Give the functions of the loaded module the code of the changed one."""
    module = sys.modules[mutant.path]
    changed: dict[str, Any] = {"__name__": mutant.path}
    exec(mutant.code, changed)
    _transplant(module.__dict__, changed, mutant.path)


def _transplant(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> None:
    for name, value in new.items():
        current = old.get(name)
        if isinstance(value, type) and isinstance(current, type):
            if current.__module__ == path:
                _transplant(vars(current), vars(value), path)
            continue
        for get in (_itself, _getter, _wrapped):
            was, now = get(current), get(value)
            if isinstance(was, FunctionType) and isinstance(now, FunctionType):
                was.__code__ = now.__code__
                was.__defaults__, was.__kwdefaults__ = now.__defaults__, now.__kwdefaults__


def _itself(value: Any) -> Any:
    return value


def _getter(value: Any) -> Any:
    return value.fget if isinstance(value, property) else None


def _wrapped(value: Any) -> Any:
    return value.__func__ if isinstance(value, classmethod | staticmethod) else None


class _Verdict:
    """Remembers the first test that fails, and how long each took.

    ``cpu_s`` is the processor time that a mutant may take: a survivor takes that of all tests,
    however busy the machine is.
    """

    def __init__(self) -> None:
        self.test = ""
        self.cpu_s = 0
        self.seconds: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The quick ones first, where it is known which they are."""
        items.sort(key=lambda item: self.seconds[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration  # type: ignore[assignment]
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.test:
            self.test = f"import of {report.nodeid}"


class _Bench:
    """Takes the place of pytest's loop: the tests are collected once and run once a mutant."""

    def __init__(self, modules: Sequence[str], asked: argparse.Namespace) -> None:
        self._modules = modules
        self._asked = asked
        self.verdict = _Verdict()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.register(self.verdict)
        watch = Stopwatch()
        _run_items(session.items, self.verdict)
        self.verdict.cpu_s = 10 + round(4 * watch.cpu_ns() / SECOND)
        if self.verdict.test:
            raise SystemExit(f"without any mutant {self.verdict.test} fails")
        session.items.sort(key=lambda item: self.verdict.seconds[item.nodeid])
        work(self._modules, self._asked, session.items, self.verdict)
        return True


def _judge(
    mutant: Mutant,
    killers: Counter[str],
    items: Sequence[pytest.Item],
    verdict: _Verdict,
    pipe: int,
) -> None:
    """In the forked child: run the tests, write the killer's name."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (verdict.cpu_s, verdict.cpu_s + 5))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        if mutant.inside:
            _put_in_place(mutant)
            _run_items(sorted(items, key=lambda item: -killers[item.nodeid]), verdict)
        else:
            fresh = ("mirrorcore", "benchmarks", "test_")
            for loaded in [name for name in sys.modules if name.startswith(fresh)]:
                del sys.modules[loaded]
            sys.meta_path.insert(0, _Changed(mutant.path, mutant.code))
            pytest.main(["-x", *OPTIONS], plugins=[verdict])
    except BaseException as error:  # a mutant may raise anything, also through pytest
        verdict.test = verdict.test or f"ended by {type(error).__name__}"
    os.write(pipe, verdict.test.encode()[:4000])


def _run_items(items: Sequence[pytest.Item], verdict: _Verdict) -> None:
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if verdict.test:
            return


class _Child:
    """One mutant under test."""

    def __init__(
        self,
        mutant: Mutant,
        killers: Counter[str],
        items: Sequence[pytest.Item],
        verdict: _Verdict,
    ) -> None:
        self.mutant = mutant
        self.watch = Stopwatch()
        self.pipe, there = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _judge(mutant, killers, items, verdict, there)
            finally:
                os._exit(0)
        os.close(there)

    def end(self, *, overdue: bool) -> str:
        """The test that killed it, "time" where it hung, empty where it survived."""
        if overdue:
            os.killpg(self.pid, signal.SIGKILL)
        said = b"" if overdue else os.read(self.pipe, 4000)
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        if overdue or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
            return "time"
        return said.decode() or ("the interpreter died" if status else "")


def run(
    todo: list[Mutant],
    items: Sequence[pytest.Item],
    verdict: _Verdict,
    asked: argparse.Namespace,
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and its killer, as they end."""
    killers: Counter[str] = Counter()
    children: dict[int, _Child] = {}
    selector = selectors.DefaultSelector()
    queue = list(reversed(todo))
    while queue or children:
        while queue and len(children) < asked.workers:
            child = _Child(queue.pop(), killers, items, verdict)
            children[child.pipe] = child
            selector.register(child.pipe, selectors.EVENT_READ)
        ready = {key.fd for key, _ in selector.select(0.5)}
        for pipe, child in list(children.items()):
            overdue = pipe not in ready and child.watch.wall_ns() > asked.limit * 1e9
            if pipe not in ready and not overdue:
                continue
            selector.unregister(pipe)
            del children[pipe]
            killer = child.end(overdue=overdue)
            killers[killer] += 1
            yield child.mutant, killer


def work(
    modules: Sequence[str],
    asked: argparse.Namespace,
    items: Sequence[pytest.Item],
    verdict: _Verdict,
) -> None:
    """Try what was asked for and write it down."""
    results: dict[str, dict[str, str]] = {}
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text())["mutants"]
    for module in modules:
        every = list(mutants(module))
        known = results.get(module, {})
        first, last = asked.lines
        todo = [m for m in every if first <= m.line <= last]
        if asked.again:
            todo = [m for m in todo if known.get(m.name) == ""]
        todo = todo[:: asked.every]
        found = {m.name: known[m.name] for m in every if m not in todo and m.name in known}
        for mutant, killer in run(todo, items, verdict, asked):
            found[mutant.name] = killer
            if not killer:
                print(f"survived: {mutant.name}", flush=True)
            results[module] = {m.name: found[m.name] for m in every if m.name in found}
            _write(results)
        killed = sum(1 for killer in found.values() if killer)
        print(f"{module}: {killed} of {len(found)} killed", flush=True)


def _share_examples(share: int) -> None:
    """A first sieve: what survives it is tried again with all examples (``--again``)."""
    settings: Any = hypothesis.settings
    make = settings.__init__

    def fewer(self: Any, *parents: Any, **given: Any) -> None:
        if "max_examples" in given:
            given["max_examples"] = max(10, given["max_examples"] // share)
        make(self, *parents, **given)

    if share > 1:
        settings.__init__ = fewer


OPTIONS = [
    "-q", "-s", "--no-header", "-p", "no:cacheprovider", "--no-summary", "--assert=plain",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
    # Those in other processes would not see the mutant; those in real time would take minutes.
    "-k", "not (hash_seed or watchdog or process or (chaos and not liar and not self))",
    str(TESTS),
]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(MODULES)}; all by default")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--again", action="store_true", help="only those that survived")
    parser.add_argument("--lines", type=int, nargs=2, default=(0, 10**9), help="first and last")
    parser.add_argument("--every", type=int, default=1, help="try one in N, a sample")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a mutant may take")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--share", type=int, default=1, help="of hypothesis' examples, 1 in N")
    parser.add_argument("--without", default="", help="leave out tests whose name matches (-k)")
    asked = parser.parse_args()
    modules = asked.modules or MODULES
    if asked.list:
        print("\n".join(mutant.name for module in modules for mutant in mutants(module)))
        return 0
    hypothesis.settings.register_profile(
        "mutants",
        database=None,
        derandomize=True,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")
    _share_examples(asked.share)
    if asked.without:
        OPTIONS[OPTIONS.index("-k") + 1] += f" and not ({asked.without})"
    return int(pytest.main(OPTIONS, plugins=[_Bench(modules, asked)]))


def _write(results: dict[str, dict[str, str]]) -> None:
    summary = {
        module: {"mutants": len(found), "killed": sum(1 for k in found.values() if k)}
        for module, found in results.items()
    }
    for figures in summary.values():
        figures["percent"] = int(np.floor(100 * figures["killed"] / max(1, figures["mutants"])))
    text = json.dumps({"summary": summary, "mutants": results}, indent=1, sort_keys=False)
    RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
