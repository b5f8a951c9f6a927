"""What a run's monitor has learned, in a file a later run of the same roster starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mirrorcore.config import config_hash
from mirrorcore.emergence.detector import Detector
from mirrorcore.emergence.memory import DetectorMemoryError, decode, encode, layout
from mirrorcore.errors import ConfigError
from mirrorcore.journal import write_atomic
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.emergence.cast import Cast
from mirrorcore.swarm.emergence.series import Habits
from mirrorcore.swarm.members import Member

FORMAT = 1
NAME = "emergence.baseline"
"""Of the file in a run's folder."""
LEARNED = "emergence.learned"
"""In a run's folder: what its monitor started from, so that its repetition can as well."""
_MAGIC = b"mirrorcore baseline\n"
_DIGEST = 16


class Header(msgspec.Struct, frozen=True):
    """What a baseline was learned from, and what has to fit.

    ``layout`` names the sources of the detectors, ``roster`` the agents with their parameters and
    files, ``config`` the configuration. ``symbols`` are those watched, of ``all_symbols``;
    ``ticks`` each type has seen, those of runs before included.
    """

    format: int
    layout: str
    version: str
    roster: str
    config: str
    run: str
    symbols: tuple[str, ...]
    all_symbols: tuple[str, ...]
    bar_ns: int
    voters: tuple[str, ...]
    inputs: tuple[str, ...]
    ticks: dict[str, int]


class Memory(msgspec.Struct):
    """Detectors with the ticks they have seen, by type and symbol; habits by symbol."""

    detectors: dict[tuple[str, str], tuple[Detector, int]]
    habits: dict[str, Habits]


class Baseline:
    """A baseline as it was read from a file.

    Raises
    ------
    ConfigError: there is no such file, or it holds something else, or another version's.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.header, data = _read(file)
        self._memory = data
        self._held: Memory | None = None

    def check(self, swarm: Swarm, symbols: Sequence[str]) -> None:
        """ConfigError names all that does not fit a run that watches these symbols."""
        told, context = self.header, swarm.context
        wrong = []
        if told.layout != layout():
            wrong.append(f"the detectors are not those of version {told.version} that learned it")
        if told.roster != roster_hash(swarm.members):
            wrong.append("it was learned of other agents, parameters or agent files")
        for what, then, now in (
            ("symbols", told.all_symbols, context.symbols),
            ("watched symbols", told.symbols, tuple(symbols)),
        ):
            if then != now:
                wrong.append(f"its {what} are {', '.join(then)}, here {', '.join(now)}")
        if told.bar_ns != context.bar_ns:
            wrong.append(f"its bars last {told.bar_ns / 1e9:g} s, here {context.bar_ns / 1e9:g} s")
        if wrong:
            self._refuse("; ".join(wrong))

    def check_cast(self, cast: Cast) -> None:
        """ConfigError where other agents vote than did, or with other inputs of the market."""
        if cast.voters != self.header.voters:
            self._refuse(
                f"its voters are {', '.join(self.header.voters)}, here {', '.join(cast.voters)}"
            )
        if cast.inputs != self.header.inputs:
            self._refuse("the market gives other inputs than it did")

    def _refuse(self, why: str) -> None:
        raise ConfigError(
            f"emergence.learned: {self.file} does not fit this run: {why}",
            hint="save one of a run of this roster: mirrorcore emergence baseline save RUN FILE",
        )

    def detector(self, kind: str, symbol: str) -> tuple[Detector, int] | None:
        """A detector and the ticks it has seen; None where this type had not been watched for."""
        return self._decoded().detectors.get((kind, symbol))

    def habits(self, symbol: str) -> Habits | None:
        """What was learned of the agents in a symbol."""
        return self._decoded().habits.get(symbol)

    def _decoded(self) -> Memory:
        if self._held is None:
            try:
                self._held = Memory(**decode(self._memory))
            except (DetectorMemoryError, TypeError) as error:
                raise ConfigError(f"emergence.learned: {self.file}: {error}") from error
        return self._held


def save(
    file: Path,
    swarm: Swarm,
    symbols: Sequence[str],
    cast: Cast,
    memory: Memory,
    *,
    run: str,
    version: str,
) -> None:
    """Write a baseline, learned in a run by a version of this package.

    DetectorMemoryError where a detector holds what cannot be kept.
    """
    ticks: dict[str, int] = {}
    for (kind, _), (_, seen) in memory.detectors.items():
        ticks[kind] = max(seen, ticks.get(kind, 0))
    header = Header(
        format=FORMAT,
        layout=layout(),
        version=version,
        roster=roster_hash(swarm.members),
        config=config_hash(swarm.config),
        run=run,
        symbols=tuple(symbols),
        all_symbols=tuple(swarm.context.symbols),
        bar_ns=swarm.context.bar_ns,
        voters=cast.voters,
        inputs=cast.inputs,
        ticks=ticks,
    )
    held = {"detectors": memory.detectors, "habits": memory.habits}
    body = msgspec.msgpack.encode([msgspec.json.encode(header), encode(held)])
    digest = hashlib.blake2b(body, digest_size=_DIGEST).digest()
    write_atomic(file, _MAGIC + digest + body)


def _read(file: Path) -> tuple[Header, bytes]:
    where = f"emergence.learned: {file}"
    hint = "save one with mirrorcore emergence baseline save RUN FILE"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}", hint=hint) from error
    start = len(_MAGIC) + _DIGEST
    body = data[start:]
    if not data.startswith(_MAGIC):
        raise ConfigError(f"{where} is no baseline", hint=hint)
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != data[len(_MAGIC) : start]:
        raise ConfigError(f"{where} is damaged: its digest does not hold", hint=hint)
    told, memory = msgspec.msgpack.decode(body)
    found_format = json.loads(told).get("format")
    if found_format != FORMAT:
        raise ConfigError(
            f"{where} has format {found_format}, this version reads {FORMAT}", hint=hint
        )
    return msgspec.json.decode(told, type=Header), memory


def roster_hash(members: Sequence[Member]) -> str:
    """32 hex digits that name the agents, what they are built from and their own files."""
    told: list[Any] = []
    for member in sorted(members, key=lambda one: one.agent_id):
        recipe = member.recipe
        entry: list[Any] = [member.agent_id, member.kind, member.interests, member.cadence_ns]
        if recipe is not None:
            code = Path(recipe.file).read_bytes() if recipe.file else b""
            entry += [
                recipe.kind,
                recipe.class_name,
                recipe.params,
                hashlib.sha256(code).hexdigest(),
            ]
        told.append(entry)
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
