"""Candles on their way into one file: pages that came, and the file that is made of them.

Beside the file lies a hidden folder ``.fetch/NAME`` with a manifest that says what is fetched, and
one parquet file a page, named by the stretch it covers. So whoever goes on needs no log: what is
there is what is done. The file itself carries the stretch it covers in its metadata.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.data_sources.fetching.stretches import Stretch, hull, missing
from mirrorcore.data_sources.fetching.whole_files import keep_whole, origin_of, write_whole
from mirrorcore.errors import DataError
from mirrorcore.journal.files import make_folder

if TYPE_CHECKING:
    import polars as pl

Row = Sequence[float]
"""Open time in ns, then open, high, low, close, volume."""

COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def candle_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Candles as we write them: ``ts`` is the open, a datetime in UTC."""
    import polars as pl

    columns: list[Sequence[float]] = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    kinds = [pl.Int64, *[pl.Float64] * 5]
    frame = pl.DataFrame(
        [
            pl.Series(name, values, dtype=kind)
            for name, values, kind in zip(COLUMNS, columns, kinds, strict=True)
        ]
    )
    return frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))


class CandleStore:
    """The pages of one file.

    Parameters
    ----------
    path: the file that is made in the end.
    identity: what is fetched and where from; pages of something else are not mixed in.

    Raises
    ------
    DataError
        where the file, or pages of an earlier call, are of something else.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        self._identity = dict(identity)
        self._folder = path.parent / ".fetch" / path.name.removesuffix(".parquet")
        self._covered = self._already()
        manifest = self._folder / "manifest.json"
        if manifest.is_file():
            self._require_same(manifest.read_bytes(), manifest)

    def _already(self) -> Stretch | None:
        """The stretch the file covers that is there from an earlier call."""
        if not self.path.is_file():
            return None
        origin = origin_of(self.path)
        if origin is None:
            raise DataError(
                f"{self.path}: the file is there and was not fetched by this command",
                hint="move it away, or fetch into another folder with --out",
            )
        told = {key: origin.get(key) for key in self._identity}
        if told != self._identity:
            raise self._another(self.path, told)
        return Stretch(int(origin["start"]), int(origin["end"]))

    def _require_same(self, content: bytes, manifest: Path) -> None:
        try:
            told = msgspec.json.decode(content, type=dict[str, str])
        except msgspec.DecodeError:
            told = {}
        if told != self._identity:
            raise self._another(manifest.parent, told)

    def _another(self, place: Path, told: Mapping[str, Any]) -> DataError:
        differing = ", ".join(
            f"{key} {told.get(key)!r}, not {value!r}"
            for key, value in self._identity.items()
            if told.get(key) != value
        )
        return DataError(
            f"{place}: holds another fetch ({differing})",
            hint="fetch into another folder with --out, or remove it",
        )

    @property
    def untouched(self) -> bool:
        """Whether nothing is there yet."""
        return self._covered is None and not self._parts()

    def wanted(self, asked: Stretch) -> Stretch:
        """``asked``, stretched to what the file covers already: it has no holes of our making."""
        return asked if self._covered is None else hull([asked, self._covered])

    def missing(self, asked: Stretch) -> list[Stretch]:
        """What is yet to be fetched."""
        there = list(self._parts())
        if self._covered is not None:
            there.append(self._covered)
        return missing(self.wanted(asked), there)

    def add(self, stretch: Stretch, rows: Sequence[Row]) -> None:
        """Keep a page: all the candles there are in ``stretch``."""
        manifest = self._folder / "manifest.json"
        if not manifest.is_file():
            make_folder(self._folder, "unfinished files")
            keep_whole(manifest, msgspec.json.encode(self._identity))
        name = f"{stretch.start}-{stretch.end}.parquet"
        write_whole(self._folder / name, candle_frame(rows), self._identity)

    def first(self) -> int | None:
        """When the first candle of the finished file opens, ns; None where it holds none."""
        import polars as pl

        found = pl.scan_parquet(self.path).select(pl.col("ts").min().to_physical()).collect().item()
        return None if found is None else int(found)

    def finish(self, asked: Stretch) -> None:
        """Make the file of its pages; they go once it is there."""
        import polars as pl

        wanted = self.wanted(asked)
        left = self.missing(asked)
        assert not left, f"{self.path} is finished before it was fetched"
        # A page that the file has already was left by a call that ended before it could clear up.
        parts = {
            stretch: path
            for stretch, path in self._parts().items()
            if self._covered is None or missing(stretch, [self._covered])
        }
        if not parts and self._covered == wanted:
            self._clear()
            return
        paths = [*parts.values(), *([self.path] if self._covered is not None else [])]
        frames = [pl.read_parquet(path) for path in paths]
        whole = pl.concat(frames).sort("ts", maintain_order=True)
        told = {**self._identity, "start": wanted.start, "end": wanted.end}
        write_whole(self.path, whole, told)
        self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._folder.parent.is_dir() and not any(self._folder.parent.iterdir()):
            self._folder.parent.rmdir()

    def _parts(self) -> dict[Stretch, Path]:
        if not self._folder.is_dir():
            return {}
        found = {}
        for path in sorted(self._folder.glob("*.parquet")):
            start, dash, end = path.stem.partition("-")
            if dash and start.isdigit() and end.isdigit():
                found[Stretch(int(start), int(end))] = path
        return found
