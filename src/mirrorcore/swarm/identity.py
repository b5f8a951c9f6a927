"""What makes a run the run it is: configuration, inputs, versions; and what was tried with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from mirrorcore.config import choice_hash, config_hash, to_toml
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.swarm.environment import package_versions, processor_class


def identity_of(
    config: RunConfig, source: HistorySource, without: Sequence[str], delay: int
) -> dict[str, Any]:
    """What stands in ``run.json`` and in the journal's first entry, and a repetition goes by."""
    return {
        "config": to_toml(config),
        "config_hash": config_hash(config),
        "trial": trial_key(config, without, delay),
        "without": list(without),
        "versions": package_versions(),
        "processor": processor_class(),
        "seed": config.seed,
        "source": source.name,
        "symbols": list(source.symbols),
        "bar_ns": source.bar_ns,
        "inputs": {source.name: source.digest(), **agent_files(config)},
        **({"delay_ticks": delay} if delay else {}),
    }


def trial_key(config: RunConfig, without: Sequence[str] = (), delay: int = 0) -> str:
    """Names what was tried: runs with one key differ in seed, place or market alone."""
    left_out = sorted({*config.agents.without, *without})
    agents = config.agents.model_copy(update={"without": ()})
    plain = config.model_copy(update={"agents": agents})
    told = [choice_hash(plain), left_out, sorted(agent_files(config).items()), delay]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def agent_files(config: RunConfig) -> dict[str, str]:
    """Digests of the files users' own agents come from: another agent is another run."""
    return {
        f"agent {entry.id}": hashlib.sha256(entry.file.read_bytes()).hexdigest()
        for entry in config.agent
        if entry.file is not None and entry.file.is_file()
    }
