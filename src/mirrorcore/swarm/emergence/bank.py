"""The detectors of a run: one a type and symbol, all of a type within one budget.

What a detector claims is told with names and with ticks of the run. Whom a type is about, what it
has to know beforehand and why it cannot be at work is said here, once the cast is settled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirrorcore.emergence.detector import Detector
from mirrorcore.emergence.finding import Finding
from mirrorcore.emergence.record import Found, budget, found
from mirrorcore.emergence.standing import STANDINGS
from mirrorcore.swarm.emergence.baseline import Baseline
from mirrorcore.swarm.emergence.cast import Cast
from mirrorcore.swarm.emergence.explained import Causes
from mirrorcore.swarm.emergence.feed import Shown

_TRAIL = 10_000
"""Ticks whose instants are known, for windows; longer ones begin at the oldest of them."""

_WHOLE = ("specialisation",)
"""Types that look at all symbols at once, when the first of those watched has a bar."""

_CODED = (
    "coded: agents of the roster compute from market data alone and tell each other nothing; what "
    "they have in common beyond the model of the market is in their code"
)


@dataclass(slots=True)
class Watched:
    """How detectors of a type do: ticks seen, findings, those explained away, symbols watched, why
    they are not at work."""

    type: str
    experimental: bool
    ticks: int = 0
    findings: int = 0
    explained: int = 0
    idle: str = ""
    symbols: int = 1

    @property
    def budget(self) -> float:
        """False findings to be expected by now, at most, of all its detectors together."""
        return budget(self.ticks)


class Bank:
    """Detectors by type and symbol.

    Parameters
    ----------
    kinds: types that are watched for.
    watched: numbers of the symbols that are watched, and ``symbols`` the names of all.
    baseline: ticks from which drift and risk learn what is usual.
    """

    def __init__(
        self, kinds: Sequence[str], symbols: Sequence[str], watched: Sequence[int], baseline: int
    ) -> None:
        self.watched: Mapping[str, Watched] = {
            kind: Watched(
                kind,
                standing.experimental,
                symbols=len(symbols) if kind in _WHOLE else len(watched),
            )
            for kind, standing in STANDINGS.items()
            if kind in kinds
        }
        self.detectors: dict[tuple[str, int], Detector] = {}
        self.built = False
        self.seen: dict[tuple[str, int], int] = {}
        """Ticks each detector has been shown, those of earlier runs included."""
        self._symbols, self._numbers, self._baseline = tuple(symbols), tuple(watched), baseline
        self._names: dict[str, Sequence[str]] = {}
        self._trails = {s: deque[tuple[int, int]](maxlen=_TRAIL) for s in watched}
        self._last = dict.fromkeys(self.watched, -1)
        self._raised = 0

    def build(self, cast: Cast, learned: Baseline | None) -> None:
        """Make the detectors, or take what they were, now that it is settled who is watched."""
        self.built = True
        for kind, watched in self.watched.items():
            names, static, watched.idle = self._plan(kind, cast)
            numbers = self._numbers[:1] if kind in _WHOLE else self._numbers
            self._names[kind] = names
            for s in numbers if not watched.idle else ():
                fresh = STANDINGS[kind].detector({**static, "family": len(numbers)})
                before = learned and learned.detector(kind, self._symbols[s])
                self.detectors[kind, s], self.seen[kind, s] = before or (fresh, 0)

    def memory(self) -> dict[tuple[str, str], tuple[Detector, int]]:
        """Detectors and the ticks they have seen, by type and symbol."""
        return {
            (kind, self._symbols[s]): (detector, self.seen[kind, s])
            for (kind, s), detector in self.detectors.items()
        }

    def end(self, kind: str, why: str) -> None:
        """A type is not watched for any more."""
        self.watched[kind].idle = self.watched[kind].idle or why
        for s in self._numbers:
            self.detectors.pop((kind, s), None)

    def update(self, shown: Shown, cast: Cast, causes: Causes, warnings: list[str]) -> list[Found]:
        """What is found at a tick of a symbol; a detector that fails ends, with a warning."""
        self._trails[shown.symbol].append((shown.tick, shown.ts))
        raised: list[Found] = []
        for kind in self.watched:
            detector = self.detectors.get((kind, shown.symbol))
            if detector is None:
                continue
            try:
                findings = detector.update(shown.of(kind))
            except Exception as error:
                # A detector that fails must not take the run, or the others, with it.
                text = f"{type(error).__name__}: {error}"
                self.end(kind, f"it failed: {text}")
                warnings.append(f"the detector of {kind} has ended: {text}")
                continue
            self.seen[kind, shown.symbol] += 1
            if self._last[kind] != shown.tick:
                self._last[kind] = shown.tick
                self.watched[kind].ticks += 1
            raised += [self._found(one, cast, causes, shown) for one in findings]
        return raised

    def _found(self, finding: Finding, cast: Cast, causes: Causes, shown: Shown) -> Found:
        kind, names = finding.type, self._names[finding.type]
        (first, then), last = self._since(finding, shown), (shown.tick, shown.ts)
        agents = [names[i] for i in finding.agents]
        why = causes.of(finding, agents, (first, last[0]), (then, last[1]), cast.linked)
        of_the_roster = bool(finding.agents) and all(i in cast.coded for i in finding.agents)
        if not why and kind == "coordination" and of_the_roster:
            why = _CODED
        if why:
            self.watched[kind].explained += 1
        else:
            self.watched[kind].findings += 1
        self._raised += 1
        given: Mapping[str, Sequence[str]] = {
            "coordination": cast.inputs,
            "drift": cast.inputs,
            "novelty": cast.known,
            "regime": cast.believed,
        }
        symbol = "" if kind in _WHOLE else self._symbols[shown.symbol]
        window = (first, shown.tick)
        return found(
            finding,
            self._raised,
            names,
            given.get(kind, ()),
            window,
            shown.tick,
            shown.ts,
            why,
            symbol,
        )

    def _since(self, finding: Finding, shown: Shown) -> tuple[int, int]:
        """Tick of the run and instant of the first tick of a window; detectors count their own."""
        trail = self._trails[shown.symbol]
        oldest = self.seen[finding.type, shown.symbol] - len(trail)
        return trail[max(finding.window[0] - oldest, 0)]

    def _plan(self, kind: str, cast: Cast) -> tuple[Sequence[str], dict[str, Any], str]:
        """Whom a detector watches, its static facts, and why it cannot be at work here."""
        voters = cast.voters
        few = "fewer than two agents vote" if len(voters) < 2 else ""
        match kind:
            case "coordination":
                return voters, {"subs": cast.subs}, few
            case "drift" | "risk":
                static = {"subs": cast.subs, "baseline_end": self._baseline}
                return voters, static, "" if voters else "no agent votes"
            case "specialisation":
                idle = few or ("there is one symbol alone" if cast.tasks < 2 else "")
                return voters, {"n_tasks": cast.tasks}, idle
            case "novelty":
                names = [voters[i] for i in cast.own]
                idle = "" if names else "every voter is of the roster, whose strategies are known"
                return names, {"known_names": cast.known}, idle
            case "regime":
                idle = (
                    ""
                    if cast.believers
                    else (
                        "no agent declares what it believes about volatility or trend (believes on "
                        "its class)"
                    )
                )
                return cast.believers, {}, idle
        return voters, {}, few
