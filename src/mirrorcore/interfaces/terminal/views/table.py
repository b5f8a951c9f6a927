"""A grid over rows that are dictionaries: sources, orders, decisions, the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.style import Style

from mirrorcore.interfaces.terminal.grid import Cell, Column, Grid

Row = Mapping[str, Any]
Read = Callable[[Row], Cell]


class Table(Grid):
    """A grid whose rows come as a list each time."""

    def __init__(
        self, heads: Sequence[tuple[str, int, bool, Read]], *, empty: str, name: str
    ) -> None:
        self.items: list[Row] = []
        super().__init__(
            [
                Column(title, title, width, self._cell(read), right=right)
                for title, width, right, read in heads
            ],
            empty=empty,
            name=name,
        )

    def fill(self, items: Sequence[Row]) -> None:
        """Show these rows in place of those before."""
        self.items = list(items)
        self.show(range(len(self.items)))

    @property
    def item(self) -> Row | None:
        """The row under the cursor."""
        return None if self.row is None else self.items[self.row]

    def _cell(self, read: Read) -> Callable[[int], Cell]:
        return lambda row: read(self.items[row])


def text(key: str, style: Style | None = None) -> Read:
    """A cell with what stands under ``key``, as it is."""

    def cell(row: Row) -> Cell:
        found = row.get(key)
        return ("–" if found is None or found == "" else str(found)), style

    return cell
