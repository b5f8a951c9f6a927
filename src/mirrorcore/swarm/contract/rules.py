"""The promises every agent is held to, each tried on fresh instances in its own surroundings."""

from __future__ import annotations

import inspect
import math
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mirrorcore.clock import MINUTE
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import MirrorCoreError
from mirrorcore.market.block import Floats
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.contract.bench import Bench, Outputs
from mirrorcore.swarm.contract.states import conviction, digest, faults_of, same_bits
from mirrorcore.swarm.contract.world import World, record_world
from mirrorcore.swarm.engine import CHECKPOINT_TICKS
from mirrorcore.swarm.members import Form, Member
from mirrorcore.swarm.recipes import is_ours
from mirrorcore.swarm.recruiting import recruit

_TICKS, _CALLS, _SYMBOLS = 600, 48, 3
_NAMED = 8
"""So many symbols of the configuration are kept by name; others make way for simulated ones."""
_BLOCKS = (1, 7, 4096)
_WILD_ROUNDS = 4
_TINY = 1e-9
_ABSURDITIES = "a value may be missing, infinite or absurd: look before it is used"


class Verdict(StrEnum):
    """SKIPPED: the promise says nothing about such an agent, or could not be tried."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one promise, and what to do about it where it is broken."""

    promise: str
    verdict: Verdict
    detail: str = ""
    hint: str = ""


_UNSTEADY = Finding(
    "", Verdict.SKIPPED, "cannot be told: it comes out otherwise each time, whatever is changed"
)


@dataclass(frozen=True, slots=True)
class ContractReport:
    """All findings on one agent."""

    agent_id: str
    form: str
    ticks: int
    calls: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not any(finding.verdict is Verdict.FAILED for finding in self.findings)


def check_agent(config: RunConfig, agent_id: str) -> ContractReport:
    """Hold one agent of the swarm of ``config`` to every promise.

    The market is a simulated one, whatever the configuration trades on, of its symbols where it
    names a few; it lasts long enough for the agent to be called some fifty times.

    Raises
    ------
    ConfigError: the swarm cannot be built.
    """
    trial = _Trial(config, agent_id)
    return ContractReport(
        agent_id, trial.form.value, len(trial.world), trial.calls, tuple(trial.findings())
    )


class _Trial:
    """One agent in its surroundings, and the checks it goes through."""

    def __init__(self, config: RunConfig, agent_id: str) -> None:
        self._config = _short(config, self._recruited(config, agent_id).cadence_ns)
        self._agent_id = agent_id
        taken = record_world(self._config, agent_id)
        self.world, self._troubles, self._endless = taken.world, taken.troubles, taken.endless
        member = self._member()
        self.form, self._schema, self._votes = member.form, member.schema, member.votes
        self._interests = member.interests
        self._file = inspect.getfile(type(member.agent))
        self._ours = is_ours(member.agent)
        self.calls = len(self._bench().due())
        self._twice: str | None = None

    @staticmethod
    def _recruited(config: RunConfig, agent_id: str) -> Member:
        return next(m for m in recruit(config) if m.agent_id == agent_id)

    def _member(self) -> Member:
        return self._recruited(self._config, self._agent_id)

    def _bench(self, world: World | None = None, *, noting: bool = False) -> Bench:
        return Bench(world or self.world, self._member, noting=noting)

    def findings(self) -> list[Finding]:
        found = [self._in_the_swarm()]
        if self._endless:
            told = "not tried alone: its calls do not come to an end"
            return [*found, Finding("runs alone on a plain market", Verdict.SKIPPED, told)]
        try:
            plain = self._bench().run()
        except (Exception, SystemExit) as error:  # a user's agent may raise anything
            told = f"fails on a plain market: {self._told(error)}"
            hint = "" if self._interests else "it declares no interests: its entry may name them"
            return [*found, Finding("runs alone on a plain market", Verdict.FAILED, told, hint)]
        checks: Sequence[tuple[str, Callable[[Outputs], Finding]]] = (
            ("bounded and finite", self._bounded),
            ("bounded and finite on any market", self._wild),
            ("sees no future", self._truncated),
            ("repeats itself to the bit", self._repeated),
            ("the same in blocks of 1, 7 and 4,096", self._blocks),
            ("goes on from its memory", self._remembered),
            ("missing data lowers confidence, or it says nothing", self._silent),
            ("reads only what it declares", self._declared),
        )
        for promise, check in checks:
            try:
                finding = check(plain)
            except (Exception, SystemExit) as error:
                hint = _ABSURDITIES if check == self._wild else ""
                finding = Finding(promise, Verdict.FAILED, self._told(error), hint)
            found.append(Finding(promise, finding.verdict, finding.detail, finding.hint))
        return found

    # -- the promises -------------------------------------------------------------------------

    def _in_the_swarm(self) -> Finding:
        promise = "works in its swarm"
        if not self._troubles:
            return Finding(promise, Verdict.PASSED)
        more = f" (and {len(self._troubles) - 1} more)" if len(self._troubles) > 1 else ""
        return Finding(promise, Verdict.FAILED, self._troubles[0] + more)

    def _bounded(self, plain: Outputs) -> Finding:
        return _verdict(self._faults(plain), "declare wider bounds, or keep to those declared")

    def _wild(self, plain: Outputs) -> Finding:
        for number in range(_WILD_ROUNDS):
            rng = np.random.default_rng([self._config.seed, number])
            world = self.world.with_values(lambda _, column: _wild(rng, column))  # noqa: B023
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                faults = self._faults(self._bench(world).run(size=7))
            if faults:
                return _verdict(faults, _ABSURDITIES)
        return Finding("", Verdict.PASSED)

    def _truncated(self, plain: Outputs) -> Finding:
        rows = self._bench().due()
        for row in (
            [rows[len(rows) // 4], rows[len(rows) // 2], rows[-2]] if len(rows) > 4 else rows
        ):
            bench = self._bench(self.world.until(row + 1))
            differing = self._differing(plain.before(row + 1), bench.run())
            if differing and self._unsteady(plain):
                return _UNSTEADY
            if differing:
                told = f"with the market cut off after tick {row}, {differing}"
                hint = "it reads rows after its own"
                if bench.drew:
                    hint += ", or draws from self.rng by the length of the block: draw row by row"
                return Finding("", Verdict.FAILED, told, hint)
        return Finding("", Verdict.PASSED)

    def _repeated(self, plain: Outputs) -> Finding:
        differing = self._unsteady(plain)
        if not differing:
            return Finding("", Verdict.PASSED)
        return Finding(
            "",
            Verdict.FAILED,
            f"run twice, {differing}",
            "take chance from self.rng and time from self.clock, and keep nothing in the class",
        )

    def _unsteady(self, plain: Outputs) -> str:
        """What comes out otherwise where nothing is changed; '' where nothing does. Of an agent
        that does so no comparison says anything about its cause."""
        if self._twice is None:
            again = self._bench().run()
            same = digest(plain.plain()) == digest(again.plain())
            self._twice = "" if same else self._differing(plain, again) or "it comes out otherwise"
        return self._twice

    def _blocks(self, plain: Outputs) -> Finding:
        if self.form is not Form.BLOCK:
            return Finding("", Verdict.SKIPPED, "it works tick by tick")
        for size in _BLOCKS:
            differing = self._differing(plain, self._bench().run(size=size))
            if differing and self._unsteady(plain):
                return _UNSTEADY
            if differing:
                return Finding(
                    "",
                    Verdict.FAILED,
                    f"in blocks of {size:,} {differing}",
                    "carry what reaches back in mirrorcore.market.features.filters",
                )
        return Finding("", Verdict.PASSED)

    def _remembered(self, plain: Outputs) -> Finding:
        if not self._ours:
            return Finding("", Verdict.SKIPPED, "it is no BaseAgent: each restart begins fresh")
        half = len(self.world) // 2
        first = self._bench()
        first.run(0, half)
        saved = first.member.agent.checkpoint()
        if saved is None:
            return Finding(
                "", Verdict.SKIPPED, "its memory cannot be encoded: each restart begins fresh"
            )
        state = first.member.rng.bit_generator.state if first.member.rng is not None else {}
        second = self._bench()
        second.member.agent.restore(saved)
        assert second.member.rng is not None
        second.member.rng.bit_generator.state = state
        differing = self._differing(first.run(half), second.run(half), whole=False)
        if differing and self._unsteady(plain):
            return _UNSTEADY
        if differing:
            told = f"restored after {half} ticks, {differing}"
            return Finding("", Verdict.FAILED, told, "remember() has to give all it needs")
        return Finding("", Verdict.PASSED)

    def _silent(self, plain: Outputs) -> Finding:
        half = len(self.world) // 2
        outputs = self._bench(self.world.silent_from(half)).run()
        before, after = self._convictions(outputs, half)
        if math.isnan(before[0]) and math.isnan(before[1]) and np.isnan(after).all():
            return Finding("", Verdict.SKIPPED, "it publishes neither a vote nor a confidence")
        falls = [_falls(was, after[:, side]) for side, was in enumerate(before)]
        if any(falls):
            return Finding("", Verdict.PASSED)
        told = "; ".join(
            f"{name} was {was:.3g} and is {after[-1, side]:.3g} after {len(after)} calls of silence"
            for side, (name, was) in enumerate(zip(("confidence", "opinion"), before, strict=True))
            if not math.isnan(was)
        )
        hint = "where a value is NaN say nothing (NaN, or leave the symbol out), or be less certain"
        return Finding("", Verdict.FAILED, told, hint)

    def _declared(self, plain: Outputs) -> Finding:
        bench = self._bench(noting=True)
        bench.run()
        declared = bench.member.interests
        read = list(dict.fromkeys(category for category, _ in bench.read))
        beyond = [category for category in read if category not in declared]
        if beyond:
            told = f"it reads {', '.join(beyond)} and declares {', '.join(declared) or 'nothing'}"
            return Finding("", Verdict.FAILED, told, "add it to the agent's interests")
        idle = [one for one in declared if one in CATEGORIES and one not in read]
        told = f"never read in this run: {', '.join(idle)}" if idle else ""
        return Finding("", Verdict.PASSED, told)

    # -- how they are told --------------------------------------------------------------------

    def _faults(self, outputs: Outputs) -> list[str]:
        context = self.world.context
        if self.form is Form.BLOCK:
            return faults_of(outputs.columns, self._schema, context, rows=len(self.world))
        for call in outputs.calls:
            faults = faults_of(call.state, self._schema, context, partial=True)
            if faults:
                return [f"{fault} (tick {call.row})" for fault in faults]
        return []

    def _differing(self, one: Outputs, other: Outputs, *, whole: bool = True) -> str:
        """The first thing that differs, in words; '' where nothing does.

        Not ``whole``: only what was published in a call counts, not what stood there before.
        """
        fields = same_bits(one.columns, other.columns)
        if fields:
            return f"{', '.join(fields)} comes out otherwise"
        if len(one.calls) != len(other.calls):
            return "it is called otherwise"
        for first, second in zip(one.calls, other.calls, strict=True):
            fields = same_bits(first.state, second.state)
            if not whole and not second.spoke and not first.spoke:
                continue
            if not whole:
                fields = [name for name in fields if name in second.state]
            if fields:
                return f"{', '.join(fields)} comes out otherwise at tick {first.row}"
        return ""

    def _convictions(self, outputs: Outputs, half: int) -> tuple[tuple[float, float], Floats]:
        """(confidence, opinion) at the last word before ``half``, and (n, 2) of all after it."""
        symbols = self.world.context.symbols
        if self.form is Form.BLOCK:
            rows = [
                conviction({k: v[row] for k, v in outputs.columns.items()}, symbols)
                for row in range(half - 1, len(self.world))
            ]
            return rows[0], np.array(rows[1:])
        spoken = [
            (call.row, conviction(call.state, symbols) if call.spoke else (0.0, 0.0))
            for call in outputs.calls
        ]
        heard = [conviction(c.state, symbols) for c in outputs.calls if c.row < half and c.spoke]
        after = np.array([pair for row, pair in spoken if row >= half])
        return (heard[-1] if heard else (math.nan, math.nan)), after.reshape(-1, 2)

    def _told(self, error: BaseException) -> str:
        """An exception with the line of the agent's own file it came from."""
        message = error.message if isinstance(error, MirrorCoreError) else str(error)
        text = f"{type(error).__name__}: {message}"
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == self._file
        ]
        return f"{text} ({self._file}, line {lines[-1]})" if lines else text


def _short(config: RunConfig, cadence_ns: int) -> RunConfig:
    """The same swarm on a short simulated market, with faults and other markets left out."""
    bar = config.market.bar
    shortest = math.ceil(cadence_ns * _CALLS / CHECKPOINT_TICKS / MINUTE) * MINUTE
    bar = max(bar, shortest)
    bars = min(CHECKPOINT_TICKS, max(_TICKS, math.ceil(cadence_ns * _CALLS / bar)))
    names = config.market.symbol_names
    named = names is not None and len(names) <= _NAMED
    market = type(config.market).model_validate(
        {
            "source": "simulated",
            "symbols": list(names) if names is not None and named else _SYMBOLS,
            "bars": bars,
            "timeframe": f"{bar // MINUTE}m",
        }
    )
    # Other symbols are in another currency.
    account = config.account if named else type(config.account)()
    return config.model_copy(
        update={"market": market, "account": account, "faults": (), "instruments": ()}
    )


def _verdict(faults: Sequence[str], hint: str) -> Finding:
    if not faults:
        return Finding("", Verdict.PASSED)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Finding("", Verdict.FAILED, faults[0] + more, hint)


def _falls(was: float, after: Floats) -> bool:
    """Whether a conviction gets smaller in silence and is not larger on the way there."""
    if math.isnan(was) and np.isnan(after).all():
        return False
    now = np.nan_to_num(after)
    start = 0.0 if math.isnan(was) else was
    late = now[len(now) // 4 :]
    return bool(now[-1] <= _TINY or (now[-1] < start and late.max() <= start + _TINY))


_ABSURD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 1e-308, 1.0, -1.0])


def _wild(rng: np.random.Generator, column: Floats) -> Floats:
    """The column with anything in most of its cells."""
    anything = rng.choice(_ABSURD, size=column.shape)
    kept: Any = np.where(rng.random(column.shape) < 0.2, column, anything)
    changed: Floats = kept
    return changed
