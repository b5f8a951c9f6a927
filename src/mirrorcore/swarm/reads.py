"""What an agent read of the market in its last call: names, and the row they were read at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mirrorcore.market.block import Floats
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.records import Category


class Reads:
    """Notes what one agent reads; holds its last call.

    Attributes
    ----------
    names: (category, name) of each value looked at, in the order of the first look.
    market, row: what it was shown, and the row it decided at; None before its first call.
    """

    def __init__(self) -> None:
        self.names: dict[tuple[Category, str], None] = {}
        self.market: CategorizedBlock | None = None
        self.row = 0

    def of(self, market: CategorizedBlock, row: int) -> CategorizedBlock:
        """The same market, which tells what is read of it; what was noted before is forgotten."""
        self.names, self.market, self.row = {}, market, row
        told = {
            category: _Told(category, columns, self.names)
            for category, columns in market.values.items()
        }
        return replace(market, values=told)


class _Told(Mapping[str, Floats]):
    """Columns of one category that note which of them is looked at."""

    __slots__ = ("_category", "_columns", "_names")

    def __init__(
        self,
        category: Category,
        columns: Mapping[str, Floats],
        names: dict[tuple[Category, str], None],
    ) -> None:
        self._category, self._columns, self._names = category, columns, names

    def __getitem__(self, name: str) -> Floats:
        column = self._columns[name]
        self._names[self._category, name] = None
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
