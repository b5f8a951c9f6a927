"""Tables of files as numpy columns, with what could not be read.

polars does the reading and is imported when a file is opened. Text is parsed here, not guessed:
``.``, an empty cell or ``null`` is a missing value and never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirrorcore.data_sources.table_files import read_frame
from mirrorcore.errors import DataError
from mirrorcore.market.bar_rules import Cases
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.intake import Case, told_row
from mirrorcore.market.parsing import MISSING_WORDS
from mirrorcore.market.timeframe import EARLIEST, epoch_to_ns, require_plausible

if TYPE_CHECKING:
    import polars as pl

TIME_COLUMNS = ("ts", "date", "timestamp", "time", "open_time", "datetime")
_ALIASES = {"time": TIME_COLUMNS, "volume": ("volume", "tick_volume", "vol")}
NO_TIME = -1
"""In a column of times: a cell that is none."""
_SHOWN = 80
"""Characters of a cell that are told; a file that is no table has longer ones."""


class Table:
    """One file, read whole; columns are converted when asked for.

    ``rows`` are the places of its rows in the file, from 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frame = read_frame(path)
        self.faults: Cases = np.zeros(len(self._frame), np.int8)
        self.rows: Ints = np.arange(len(self._frame), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._frame)

    def columns(
        self, wanted: Sequence[str], mapping: Mapping[str, str], *, hint: str = ""
    ) -> dict[str, str]:
        """The file's own name of each wanted column; ``hint`` says how they are named otherwise
        than by ``--column``.

        Names are the same in any case and with any blanks around them.

        Raises
        ------
        DataError
            naming every column that is missing and those that are there, or those that are meant
            by one name.
        """
        found: dict[str, str] = {}
        missing: list[str] = []
        for name in wanted:
            names = (mapping[name],) if name in mapping else _ALIASES.get(name, (name,))
            match = next((one for n in names if (one := self._own_name(n)) is not None), None)
            if match is None:
                missing.append(" or ".join(names))
                hint = hint or (
                    f"say what the file calls it, as in --column {name}=NAME of "
                    "'mirrorcore data check' and 'data import'; a run reads what import makes"
                )
            else:
                found[name] = match
        if missing:
            raise DataError(
                f"{self.path}: missing column {', '.join(missing)}; "
                f"the file has {', '.join(self._frame.columns)}",
                hint=hint,
            )
        return found

    def _own_name(self, name: str) -> str | None:
        """The column that is meant by a name; None where there is none."""
        name = name.strip()
        same = [one for one in self._frame.columns if one.strip().lower() == name.lower()]
        found = [one for one in same if one.strip() == name] or same
        if len(found) > 1:
            raise DataError(
                f"{self.path}: column {name} may be any of {', '.join(map(repr, found))}: blanks "
                "around names do not tell them apart",
                hint="rename them in the file",
            )
        return found[0] if found else None

    def where(self, conditions: Mapping[str, str]) -> None:
        """Keep the rows whose columns have these values: one series of a long table."""
        import polars as pl

        names = self.columns(
            tuple(conditions),
            {name: name for name in conditions},
            hint="where names columns of the file and the value each must have",
        )
        for name, value in conditions.items():
            kept = (self._frame[names[name]].cast(pl.String) == value).fill_null(value=False)
            self._frame, self.rows = self._frame.filter(kept), self.rows[kept.to_numpy()]
        self.faults = np.zeros(len(self._frame), np.int8)

    def numbers(self, name: str, *, missing: Case = Case.MISSING_VALUE) -> Floats:
        """A column as float64; NaN where it is missing or no number, noted in ``faults``.

        ``missing`` is the case of a cell without a value.
        """
        import polars as pl

        column = self._frame[name]
        if column.dtype == pl.String:
            text = column.str.strip_chars()
            values = text.cast(pl.Float64, strict=False)
            absent = (
                text.is_null() | text.str.to_lowercase().is_in(sorted(MISSING_WORDS))
            ).to_numpy()
            # "nan" parses as a number on purpose: it is a wrong number, not a missing one.
            self.note(values.is_null().to_numpy() & ~absent, Case.WRONG_TYPE)
        elif column.dtype.is_numeric():
            values = column.cast(pl.Float64)
            absent = column.is_null().to_numpy()
        else:
            raise DataError(
                f"{self.path}: column {name} holds {column.dtype}, not numbers",
                hint="name another column in the config or convert the file",
            )
        self.note(absent, missing)
        return np.array(values.fill_null(float("nan")).to_numpy(), np.float64)

    def told(
        self, names: Mapping[str, str], numbers: Mapping[str, Floats], row: int, *, timed: bool
    ) -> dict[str, object]:
        """A row for the quarantine; what is no number, or no time, as it stands in the file.

        ``names`` are the file's own of the columns; one without has no cell to be looked for.
        """
        values: dict[str, object] = {
            name: float(column[row])
            if np.isfinite(column[row]) or name not in names
            else self.cell(names[name], row)
            for name, column in numbers.items()
        }
        return values if timed else {**values, "time": self.cell(names["time"], row)}

    def cell(self, name: str, row: int) -> object:
        """What stands there, text cut to what a line can show."""
        found: object = self._frame[name][row]
        return found[:_SHOWN] if isinstance(found, str) else found

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as the file calls them."""
        return tuple(self._frame.columns)

    def has(self, name: str) -> bool:
        """Whether there is a column of that name, in any case and with any blanks around it."""
        wanted = name.strip().lower()
        return any(column.strip().lower() == wanted for column in self._frame.columns)

    def aware(self, name: str) -> bool:
        """Whether a column holds datetimes that have a zone."""
        import polars as pl

        kind = self._frame[name].dtype
        return isinstance(kind, pl.Datetime) and kind.time_zone is not None

    def zoned(self, name: str) -> bool:
        """Whether the times of a column say a zone themselves, and one that is not UTC: many files
        say UTC of a wall clock that is none."""
        import polars as pl

        column = self._frame[name]
        if isinstance(column.dtype, pl.Datetime):
            return column.dtype.time_zone not in (None, "UTC")
        if column.dtype != pl.String:
            return False
        offset = column.str.extract(r":\d\d(?:\.\d+)?\s*([+-]\d\d:?\d\d)\s*$").drop_nulls()
        return bool((offset.str.replace(":", "").str.slice(1) != "0000").any())

    def is_text(self, name: str) -> bool:
        """Whether a column holds text."""
        import polars as pl

        return self._frame[name].dtype == pl.String

    def texts(self, name: str) -> list[str]:
        """A column of text; empty where there is none.

        Raises
        ------
        DataError
            when the column holds something else.
        """
        import polars as pl

        column = self._frame[name]
        if column.dtype not in (pl.String, pl.Null):
            raise DataError(
                f"{self.path}: column {name} holds {column.dtype}, not text",
                hint="name another column or convert the file",
            )
        return column.cast(pl.String).fill_null("").to_list()

    def amounts(self, name: str) -> list[Decimal | None]:
        """A column of exact numbers, whole or as text; None where one is missing.

        Raises
        ------
        DataError
            when the column holds floats, which are not exact, or a cell is no number.
        """
        import polars as pl

        column = self._frame[name]
        if not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Decimal, pl.Null)):
            raise DataError(
                f"{self.path}: column {name} holds {column.dtype}, and amounts must be exact",
                hint="write them as text or as whole numbers",
            )
        found: list[Decimal | None] = []
        for row, text in enumerate(column.cast(pl.String).to_list()):
            if text is None or text.strip().lower() in MISSING_WORDS:
                found.append(None)
                continue
            try:
                amount = Decimal(text.strip())
            except InvalidOperation:
                amount = Decimal("NaN")
            if not amount.is_finite():
                raise DataError(
                    f"{self.path}: column {name}, {told_row(row)}: {text[:40]!r} is no amount",
                    hint="write it as 1250000.5, without separators",
                )
            found.append(amount)
        return found

    def times(self, name: str, *, unit: str | None, early: bool = False) -> Ints:
        """A column of instants in ns UTC; datetimes without zone are UTC.

        Epoch numbers are taken in s, ms, us or ns by their magnitude, or in ``unit`` alone. A cell
        that is no time becomes -1 and is noted in ``faults``. With ``early`` dates may begin
        before 1990 and go on after it, as those of a long series do.

        Raises
        ------
        DataError
            when the column is of another kind, in no one unit, or outside 1990..2099.
        """
        import polars as pl

        column, where = self._frame[name], f"{self.path}: column {name}"
        if column.dtype == pl.String:
            whole = column.str.strip_chars().cast(pl.Int64, strict=False)
            dated = whole.null_count() == len(whole) and len(whole) > 0
            if dated:
                _require_iso(column, where)
            parsed = _dates(column) if dated else whole
            absent = column.is_null() | column.str.strip_chars().str.to_lowercase().is_in(
                sorted(MISSING_WORDS)
            )
            self.note(absent.to_numpy(), Case.MISSING_VALUE)
            self.note(parsed.is_null().to_numpy(), Case.WRONG_TYPE)
            column = parsed
        elif column.dtype.is_float():
            self.note(~column.is_finite().fill_null(value=True).to_numpy(), Case.NOT_FINITE)
            column = column.cast(pl.Int64, strict=False)
        if column.dtype == pl.Date:
            column = column.cast(pl.Datetime("ns"))
        known = column.is_not_null().to_numpy()
        self.note(~known, Case.MISSING_VALUE)
        result = np.full(len(column), NO_TIME, np.int64)
        if isinstance(column.dtype, pl.Datetime):
            # Widened by hand: polars would wrap a wrong year round instead of refusing it.
            scale = {"ms": 1_000_000, "us": 1_000, "ns": 1}[column.dtype.time_unit]
            raw = column.to_physical().drop_nulls().to_numpy()
            limit = np.iinfo(np.int64).max // scale
            result[known] = np.clip(raw, -limit, limit) * scale
            modern = result >= EARLIEST
            require_plausible(result[modern if early and modern.any() else known], where=where)
        elif column.dtype.is_integer():
            raw = column.cast(pl.Int64).drop_nulls().to_numpy()
            result[known] = epoch_to_ns(raw, where=where, unit=unit)
        else:
            raise DataError(
                f"{where} holds {column.dtype}, not times",
                hint="write them as 2025-04-03T17:05:00 (UTC) or as whole epoch numbers, or name "
                "another column, as in --column time=NAME of 'mirrorcore data import'",
            )
        return result

    def cut_off(self) -> int | None:
        """Byte at which a CSV file ends within a line whose row could not be read, else None."""
        if not self.path.name.lower().endswith(".csv") or not len(self) or not self.faults[-1]:
            return None
        content = self.path.read_bytes()
        if content.endswith(b"\n"):
            return None
        self.faults[-1] = Case.TRUNCATED
        return content.rfind(b"\n") + 1

    def note(self, where: Bools, case: Case) -> None:
        """Note a case for the rows among these that show none yet."""
        self.faults[where & (self.faults == Case.NONE)] = case


def _require_iso(column: pl.Series, where: str) -> None:
    """DataError where most are no ISO 8601: 04/03/2025 is April to one and March to another."""
    texts = column.drop_nulls()
    texts = texts.filter(~texts.str.strip_chars().str.to_lowercase().is_in(sorted(MISSING_WORDS)))
    odd = texts.filter(~texts.str.contains(r"^\s*(\d{4}-\d{2}-\d{2}|\d{8}(T|\s*$))"))
    if len(odd) * 2 > len(texts):
        raise DataError(
            f"{where}: times such as {odd[0]!r} are neither ISO 8601 nor whole epoch numbers",
            hint="write 2025-04-03T17:05:00 (UTC), or whole seconds, ms, us or ns since 1970",
        )


def _dates(column: pl.Series) -> pl.Series:
    import polars as pl

    try:
        return column.str.to_datetime(time_unit="ns", time_zone="UTC", strict=False)
    except pl.exceptions.PolarsError:
        # No format fits the first cells: every cell is reported as no time.
        return pl.Series(column.name, [None] * len(column), pl.Datetime("ns"))
