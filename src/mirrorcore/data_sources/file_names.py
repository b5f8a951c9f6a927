"""What the name of a candle file says: venue, symbol and timeframe."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorcore import clock
from mirrorcore.errors import ConfigError, DataError
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.market.timeframe import parse_timeframe

SUFFIXES = (".parquet", ".feather", ".arrow", ".ipc", ".csv", ".csv.gz")

DEFAULT_PATTERNS = (
    "{symbol}-{timeframe}",
    "{symbol}-{timeframe}-futures",
    "{venue}_{symbol}_{timeframe}",
    "{venue}_{symbol}_{timeframe}_*",
    "{symbol}_{timeframe}",
)
"""Names without their suffix: freqtrade's, those with a venue in front, plain ones."""

_FIELDS = {
    "venue": r"(?P<venue>[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*?)",
    "timeframe": r"(?P<timeframe>\d+(?:ms|[smhdwM])|[smhdwSMHDW]\d+)",
}
# Without a separator first: in "lean_coinbase_BTCUSD_1d" the venue has one, the symbol has not.
_SYMBOLS = (
    r"(?P<symbol>[A-Za-z0-9]+)",
    r"(?P<symbol>[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+){1,2})",
)
_PART = re.compile(r"\{(\w+)\}|(\*)|([^{}*]+)")


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A candle file by its name; ``bar_ns`` is 0 where the name has no timeframe."""

    path: Path
    symbol: str
    timeframe: str
    bar_ns: int
    venue: str = ""


class NamePattern:
    """``{venue}_{symbol}_{timeframe}_*``: named fields, ``*`` for anything, the rest literal.

    Raises
    ------
    ConfigError
        for a field that is not one of the three, or a pattern without ``{symbol}``.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        name = text
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        parts = list(_PART.finditer(name))
        fields = [part[1] for part in parts if part[1]]
        unknown = [field for field in fields if field not in ("venue", "symbol", "timeframe")]
        if unknown or fields.count("symbol") != 1 or len(set(fields)) != len(fields):
            raise ConfigError(
                f"the file pattern {text!r} is not usable",
                hint="use {symbol} once and, if the name has them, {venue} and {timeframe}; "
                "* stands for anything, as in {venue}_{symbol}_{timeframe}_*",
            )
        self._expressions = [
            re.compile("".join(_expression(part, symbol) for part in parts)) for symbol in _SYMBOLS
        ]

    def read(self, path: Path) -> CandleFile | None:
        """What the name says, or None when it does not fit."""
        stem = bare_name(path)
        if stem is None:
            return None
        for expression in self._expressions:
            match = expression.fullmatch(stem)
            if match is None:
                continue
            fields = match.groupdict(default="")
            try:
                symbol = canonical_symbol(fields["symbol"])
                timeframe = fields.get("timeframe", "")
                bar_ns = parse_timeframe(timeframe) if timeframe else 0
            except ValueError:
                continue
            return CandleFile(path, symbol, timeframe, bar_ns, fields.get("venue", ""))
        return None


def _expression(part: re.Match[str], symbol: str) -> str:
    if part[2]:
        return ".*"
    if part[3]:
        return re.escape(part[3])
    return symbol if part[1] == "symbol" else _FIELDS[part[1]]


def candle_name(venue: str, symbol: str, bar_ns: int) -> str:
    """The name, without its ending, of a file of candles: read back it says the same.

    Raises
    ------
    DataError
        where no name of ours can say it.
    """
    spot = symbol.replace("/", "-")
    joined = spot if ":" not in symbol else symbol.replace("/", "_").replace(":", "_")
    timeframe = clock.format_duration(bar_ns)
    name = "_".join(part for part in (venue, joined, timeframe) if part)
    read = name_of(Path(f"{name}.parquet"))
    if read is None or (read.symbol, read.bar_ns, read.venue) != (symbol, bar_ns, venue):
        raise DataError(
            f"no file name can say {venue} {symbol} {timeframe}",
            hint="venue and symbol are letters and digits, as binance BTC/USDT",
        )
    return name


def name_of(path: Path) -> CandleFile | None:
    """What the name of a file of candles says, None where it says nothing."""
    patterns = [NamePattern(text) for text in DEFAULT_PATTERNS]
    return next(_fitting([path], patterns), None)


def bare_name(path: Path) -> str | None:
    """The file's name without a known suffix, None for a file of another kind."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return None


def find_candles(path: Path, pattern: str | None = None) -> list[CandleFile]:
    """The candle files at ``path``, a directory or one file, by name.

    Raises
    ------
    DataError
        when there is nothing at ``path``, or nothing whose name fits; says what was looked for and
        what was there.
    """
    if not path.exists():
        raise DataError(
            f"there is no file or directory {path}",
            hint="check the path in the config; it is relative to where the command runs",
        )
    patterns = [NamePattern(text) for text in ([pattern] if pattern else DEFAULT_PATTERNS)]
    seen = (
        [path] if path.is_file() else sorted(entry for entry in path.iterdir() if entry.is_file())
    )
    found = list(_fitting(seen, patterns))
    if not found:
        names = ", ".join(entry.name for entry in seen[:8]) or "nothing"
        more = f" and {len(seen) - 8} more" if len(seen) > 8 else ""
        wanted = ", ".join(one.text for one in patterns)
        raise DataError(
            f"{path}: no candle file found; names looked for are {wanted} with "
            f"{', '.join(SUFFIXES)}; there is {names}{more}",
            hint="rename the files, or give the config a pattern with {venue}, {symbol}, "
            "{timeframe} and * for the rest",
        )
    return found


def _fitting(paths: list[Path], patterns: list[NamePattern]) -> Iterator[CandleFile]:
    for path in paths:
        for pattern in patterns:
            candle = pattern.read(path)
            if candle is not None:
                yield candle
                break


def choose_candles(
    found: list[CandleFile],
    *,
    path: Path,
    symbols: Sequence[str] = (),
    timeframe: str | None = None,
    venue: str | None = None,
) -> dict[str, list[CandleFile]]:
    """The files of each symbol wanted, in the order asked for; of one timeframe and venue.

    Raises
    ------
    DataError
        for a symbol, timeframe or venue that is not there, and where a choice is left open.
    """
    if venue is not None:
        venues = sorted({one.venue for one in found})
        found = [one for one in found if one.venue.lower() == venue.lower()]
        if not found:
            raise DataError(
                f"{path}: no file of venue {venue!r}",
                hint=f"there are {', '.join(v or '(none)' for v in venues)}",
            )
    if symbols:
        wanted = _wanted(found, symbols, path)
        found = _one_timeframe([one for one in found if one.symbol in wanted], timeframe, path)
    else:
        found = _one_timeframe(found, timeframe, path)
        wanted = sorted({one.symbol for one in found})
    files: dict[str, list[CandleFile]] = {symbol: [] for symbol in wanted}
    for one in found:
        files[one.symbol].append(one)
    lacking = [symbol for symbol, parts in files.items() if not parts]
    if lacking:
        raise DataError(
            f"{path}: no {timeframe} file for {', '.join(lacking)}",
            hint="leave the symbol out or choose another timeframe",
        )
    for symbol, parts in files.items():
        if len({part.venue for part in parts}) > 1:
            raise DataError(
                f"{path}: {symbol} comes from several venues: "
                f"{', '.join(part.path.name for part in parts)}",
                hint=_one_venue(parts),
            )
    return files


def _one_venue(parts: Sequence[CandleFile]) -> str:
    """How a file is chosen among those of one symbol: by itself, or by a pattern of its venue."""
    for one in parts:
        for pattern in DEFAULT_PATTERNS:
            told = pattern.replace("{venue}", one.venue)
            chosen = [part.path for part in parts if NamePattern(told).read(part.path) is not None]
            if one.venue and told != pattern and chosen == [one.path]:
                return f'choose one, as in --data {one.path}, or market.pattern = "{told}"'
    return f"choose one, as in --data {parts[0].path}"


def _wanted(found: Sequence[CandleFile], symbols: Sequence[str], path: Path) -> list[str]:
    available = sorted({one.symbol for one in found})
    wanted: list[str] = []
    for text in symbols:
        try:
            symbol = canonical_symbol(text)
        except ValueError as error:
            raise DataError(f"the symbol {error}", hint="write BTC/USDT") from None
        if symbol not in available:
            near = difflib.get_close_matches(symbol, available, n=1, cutoff=0.5)
            guess = f"did you mean {near[0]}? " if near else ""
            raise DataError(
                f"{path}: there is no file for {symbol}",
                hint=f"{guess}available: {', '.join(available)}",
            )
        if symbol not in wanted:
            wanted.append(symbol)
    return wanted


def _one_timeframe(found: list[CandleFile], timeframe: str | None, path: Path) -> list[CandleFile]:
    if timeframe is not None:
        try:
            bar_ns = parse_timeframe(timeframe)
        except ValueError as error:
            raise DataError(f"the timeframe {error}", hint="write 1m, 5m, 1h or 1d") from None
        fitting = [
            one if one.bar_ns else CandleFile(one.path, one.symbol, timeframe, bar_ns, one.venue)
            for one in found
            if one.bar_ns in (0, bar_ns)
        ]
        if not fitting:
            lengths = sorted({one.bar_ns for one in found})
            raise DataError(
                f"{path}: no file of timeframe {timeframe}",
                hint=f"there are {', '.join(map(clock.format_duration, lengths))}",
            )
        return fitting
    lengths = sorted({one.bar_ns for one in found})
    if lengths[0] == 0:
        unnamed = next(one for one in found if one.bar_ns == 0)
        raise DataError(
            f"{unnamed.path}: the name does not say the timeframe",
            hint='say it, as in market.timeframe = "5m" or --timeframe 5m',
        )
    if len(lengths) > 1:
        names = ", ".join(clock.format_duration(length) for length in lengths)
        raise DataError(
            f"{path}: the files have several timeframes: {names}",
            hint=f'choose one, as in market.timeframe = "{clock.format_duration(lengths[0])}"',
        )
    return found
