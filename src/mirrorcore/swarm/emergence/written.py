"""What a run's journal has of its monitor: the findings, who acknowledged them, the detectors."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from mirrorcore.config.model import EmergenceConfig
from mirrorcore.emergence.record import Found
from mirrorcore.journal import JournalReader
from mirrorcore.swarm.emergence.bank import Watched

WATCHED = "watched"
"""Key of the one entry of kind ``finding`` that is none: how the detectors did, at the end."""


@dataclass(frozen=True, slots=True)
class Written:
    """``acknowledged`` is who did, by alert; ``watched`` is empty where the run did not end."""

    findings: list[Found]
    acknowledged: Mapping[int, str]
    watched: Mapping[str, Watched]
    ticks: int
    """Ticks of the run, from which a detector cannot have seen more."""


def unwatched(emergence: EmergenceConfig, notes: Mapping[str, Any]) -> str:
    """The setting for which a run is not watched, empty where it is.

    ``notes`` of a paper run, or of its repetition, have the tick at which it started.
    """
    if not emergence.enabled:
        return "emergence.enabled = false"
    if not emergence.detectors:
        return "emergence.detectors = []"
    if not emergence.history and "start_tick" not in notes:
        return "emergence.history = false"
    return ""


def unwatched_run(identity: Mapping[str, Any]) -> str:
    """The same of a run as its folder shows it."""
    recorded = tomllib.loads(str(identity["config"])).get("emergence", {})
    # These alone decide: a setting another version knew is no reason to say nothing.
    deciding = ("enabled", "detectors", "history")
    chosen = {name: recorded[name] for name in deciding if name in recorded}
    return unwatched(EmergenceConfig.model_validate(chosen), identity)


def body_of(watched: Mapping[str, Watched]) -> dict[str, Any]:
    """The entry at the end of a run."""
    return {WATCHED: {kind: asdict(one) for kind, one in watched.items()}}


def read_findings(path: Path) -> Written:
    """From a journal, of a run that goes on as well. JournalError where it cannot be read."""
    findings: list[Found] = []
    watched: dict[str, Watched] = {}
    acknowledged: dict[int, str] = {}
    ticks = 0
    with JournalReader(path) as reader:
        for entry in reader.entries("finding"):
            body = entry.body
            if WATCHED in body:
                watched = {kind: Watched(**one) for kind, one in body[WATCHED].items()}
            else:
                findings.append(msgspec.convert(body, Found))
        for entry in reader.entries("audit"):
            body = entry.body
            if body.get("command") == "ack_alert" and body.get("status") == "done":
                number = int(body["args"]["id"])
                acknowledged.setdefault(number, str(body["by"]["name"]))
        for entry in reader.entries("block"):
            ticks += int(entry.body["ticks"])
    return Written(findings, acknowledged, watched, ticks)
