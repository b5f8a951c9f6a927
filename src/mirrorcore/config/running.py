"""Settings of a run: paper, what is kept of it and where, who looks on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mirrorcore.clock import DAY
from mirrorcore.config.quantities import Delay, EmergenceTypes, Location, Names
from mirrorcore.config.section import Section, setting


class PaperConfig(Section):
    """``[paper]``: a run in front of you."""

    speed: float = setting(
        60.0,
        "market seconds a wall second; 60 makes a bar of five minutes last five seconds, 1 is live",
        gt=0,
        le=1_000_000,
    )
    warmup: Delay = setting(
        7 * DAY, "history replayed before it begins; the longest feature needs three days"
    )
    seconds: float = setting(0.0, "wall seconds after which it ends; 0 goes on until stopped", ge=0)


class JournalConfig(Section):
    """``[journal]``: what a replay of history writes down; paper and live write all."""

    mode: Literal["on_change", "full"] = setting(
        "on_change",
        "on_change keeps decisions that changed something and a hash of the rest, a tenth of full",
    )


class StorageConfig(Section):
    """``[storage]``: where runs are kept."""

    runs: Location = setting(Path("runs"), "folder of the runs, beside the project", location=True)


class WebConfig(Section):
    """``[web]``: the dashboard and API beside a paper run; no part of what a run is."""

    enabled: bool = setting(
        True, "whether paper runs are served; on this machine alone, behind a token"
    )
    host: str = setting(
        "127.0.0.1",
        "address that is listened on; any but this machine's own is refused without behind_proxy",
        pattern=r"^[A-Za-z0-9.:-]+$",
    )
    port: int = setting(
        8420, "port that is listened on, or the next that is free; 0 takes any", ge=0, le=65535
    )
    behind_proxy: bool = setting(
        False,
        "whether a proxy of your own with TLS stands before it; only then may host be another "
        "machine's to reach, for tokens travel as they are",
    )
    hosts: Names = setting(
        (), "further names it answers to, as dash.example.org: those of the proxy"
    )


class EmergenceConfig(Section):
    """``[emergence]``: what watches for behaviour nobody wrote; it changes no run."""

    enabled: bool = setting(
        True, "whether paper runs and their repetitions are watched, off the trading path"
    )
    detectors: EmergenceTypes = setting(
        ("novelty", "collective"),
        "what is watched for; those left out here are experimental: that they keep their bars "
        "is not shown",
    )
    symbol: str | None = setting(
        None,
        "the one whose votes and positions are watched; specialisation watches all symbols",
        unset="all symbols of the run, fewer where there are very many or very many agents",
        min_length=1,
    )
    baseline: int = setting(
        2000, "ticks from which drift and risk learn what is usual before they say anything", ge=512
    )
    learned: Location | None = setting(
        None,
        "baseline of an earlier run of the same agents, to start from",
        unset="everything is learned anew",
        location=True,
    )
    history: bool = setting(
        False, "whether replays of history are watched too, which takes a second core"
    )
