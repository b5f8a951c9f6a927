"""Options that are settings: each overrides one key of the configuration, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import Session, say

if TYPE_CHECKING:
    from mirrorcore.config import Loaded

Override = tuple[str, object]


def _option(flag: str, help_text: str, metavar: str, *more: str) -> object:
    return typer.Option(flag, *more, help=help_text, metavar=metavar, show_default=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command that needs a configuration takes."""

    config: Annotated[
        Path | None, _option("--config", "TOML file; without one the defaults hold.", "FILE", "-c")
    ] = None
    data: Annotated[
        Path | None, _option("--data", "Recorded candles: parquet, feather or CSV.", "DIR")
    ] = None
    preset: Annotated[
        str | None, _option("--preset", "Simulated market: default, plain or null.", "NAME")
    ] = None
    ic: Annotated[
        float | None, _option("--ic", "How much there is to find in a simulated market.", "X")
    ] = None
    symbols: Annotated[
        str | None, _option("--symbols", "Names as BTC/USDT,ETH/USDT or how many.", "A,B|N")
    ] = None
    timeframe: Annotated[
        str | None, _option("--timeframe", "Length of a bar, as 5m or 1h.", "DURATION")
    ] = None
    timerange: Annotated[
        str | None, _option("--timerange", "As 20240101-20240301; one end may be open.", "A-B")
    ] = None
    bars: Annotated[
        int | None, _option("--bars", "Length of a simulated history, in bars.", "N")
    ] = None
    seed: Annotated[int | None, _option("--seed", "Where all randomness comes from.", "N")] = None
    fee: Annotated[float | None, _option("--fee", "Fee a side, in basis points.", "BPS")] = None
    slippage: Annotated[
        float | None, _option("--slippage", "Distance of fills from the open.", "BPS")
    ] = None
    balance: Annotated[str | None, _option("--balance", "Money at the start.", "AMOUNT")] = None
    without: Annotated[
        list[str] | None, _option("--without", "Leave an agent out; may be repeated.", "AGENT")
    ] = None
    runs: Annotated[Path | None, _option("--runs", "Folder of the runs.", "DIR")] = None

    def left_out(self) -> list[str]:
        """Names given to --without, each once."""
        return list(dict.fromkeys(_names(self.without)))

    def overrides(self) -> list[Override]:
        """The options as settings, by dotted key; those not given are left out."""
        return [
            (key, value)
            for key, value in (
                ("market.source", None if self.data is None else "recorded"),
                ("market.directory", _text(self.data)),
                ("market.preset", self.preset),
                ("market.ic", self.ic),
                ("market.symbols", _symbols(self.symbols)),
                ("market.timeframe", self.timeframe),
                ("market.timerange", self.timerange),
                ("market.bars", self.bars),
                ("seed", self.seed),
                ("costs.fee_bps", self.fee),
                ("costs.slippage_bps", self.slippage),
                ("account.balance", self.balance),
                ("agents.without", _names(self.without) or None),
                ("storage.runs", _text(self.runs)),
            )
            if value is not None
        ]


@dataclass(frozen=True, slots=True)
class RunsFolder:
    """What a command takes that reads runs and needs nothing else of a configuration."""

    config: Annotated[
        Path | None, _option("--config", "TOML file that says where runs are.", "FILE", "-c")
    ] = None
    runs: Annotated[Path | None, _option("--runs", "Folder of the runs.", "DIR")] = None

    def path(self, session: Session) -> Path:
        """The folder, by option, environment, file or default."""
        settings = Settings(config=self.config, runs=self.runs)
        return load(session, settings, quiet=True).config.storage.runs


def load(
    session: Session,
    settings: Settings,
    more: list[Override] | None = None,
    *,
    quiet: bool = False,
    outside: bool = False,
) -> Loaded:
    """The configuration of a call; what is odd about it is said on stderr.

    With ``outside`` the files and venues it names must be there.

    Raises
    ------
    ConfigError: with every mistake found.
    """
    from mirrorcore.config import load_config

    loaded = load_config(
        settings.config,
        os.environ,
        [*settings.overrides(), *(more or [])],
        vocabulary=_Vocabulary(),
        outside=outside,
    )
    session.runs = loaded.config.storage.runs
    for warning in () if quiet else loaded.warnings:
        say(session.remarks, f"warning: {warning}", "yellow")
    return loaded


class _Vocabulary(Mapping[str, tuple[str, ...]]):
    """Names of agents and venues, fetched only where they are asked for: most calls stay light."""

    _KEYS = ("agent.type", "agents.without", "exchange.venue")

    def __getitem__(self, key: str) -> tuple[str, ...]:
        if key not in self._KEYS:
            raise KeyError(key)
        if key == "exchange.venue":
            from mirrorcore.data_sources.exchange.venues import known_venues

            return known_venues()
        from mirrorcore.agents.roster import ROSTER
        from mirrorcore.swarm.recruiting import STANDARD

        return tuple(ROSTER) if key == "agent.type" else STANDARD

    def __iter__(self) -> Iterator[str]:
        return iter(self._KEYS)

    def __len__(self) -> int:
        return len(self._KEYS)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _symbols(text: str | None) -> object:
    """A number, or names in their canonical form."""
    if text is None:
        return None
    if text.strip().lstrip("-").isdigit():
        return int(text)
    from mirrorcore.market.instruments import canonical_symbol

    try:
        return [canonical_symbol(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(
            f"--symbols {error}", hint="give names as BTC/USDT,ETH/USDT or a number"
        ) from None


def _names(given: list[str] | None) -> list[str]:
    return [part.strip() for name in given or () for part in name.split(",") if part.strip()]
