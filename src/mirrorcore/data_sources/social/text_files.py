"""Headlines from a file, as they became known: the history form of every source of texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirrorcore.data_sources.social.titles import text_record
from mirrorcore.data_sources.tables import Table
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.records import Flag, Text


@dataclass(frozen=True, slots=True)
class TextFile:
    """A table with one headline a row.

    Parameters
    ----------
    path: parquet, feather, CSV or JSON.
    time, title: names of the columns; times without zone are UTC.
    link: name of a column with links, None where there is none.
    lag_ns: a headline dated t is available at t + lag; feeds are asked every few minutes.
    source: in every record's ``source``.
    """

    path: Path
    time: str = "ts"
    title: str = "headline"
    link: str | None = None
    lag_ns: int = 0
    source: str = "headlines"


def read_texts(file: TextFile, report: IntakeReport) -> list[Text]:
    """All headlines in order of ``ts_avail``; rows without time or title are counted and left out.

    Raises
    ------
    DataError
        where the file or a column is not there, or the lag is negative.
    """
    if file.lag_ns < 0:
        raise DataError(f"{file.path}: a lag cannot be negative", hint="leave it out for none")
    if not file.path.is_file():
        raise DataError(f"there is no file {file.path}", hint="check the path")
    table = Table(file.path)
    wanted = {"time": file.time, "title": file.title}
    if file.link is not None:
        wanted["link"] = file.link
    hint = "name them in the file itself: its columns are time, title and, if there is one, link"
    names = table.columns(tuple(wanted), wanted, hint=hint)
    times = table.times(names["time"], unit=None)
    titles = table.texts(names["title"])
    links = table.texts(names["link"]) if file.link is not None else [""] * len(table)
    report.saw(file.source, len(table))
    found: list[Text] = []
    rows = zip(times.tolist(), titles, links, table.faults.tolist(), strict=True)
    for event, title, link, fault in rows:
        text = None
        if fault == Case.NONE:
            text = text_record(
                source=file.source, title=title, url=link, event=event, now=event + file.lag_ns
            )
        if text is None:
            report.count(file.source, Case(fault or Case.MISSING_VALUE))
        else:
            found.append(msgspec.structs.replace(text, flags=int(Flag.BACKFILL)))
    return sorted(found, key=lambda text: text.ts_avail)
