"""What is told of an order, from its fills."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
from commanded_paper import LIVELY, driven
from swarm_world import configured

from mirrorcore.journal import RunRegistry
from mirrorcore.swarm.books import Books
from mirrorcore.swarm.recorded import Recorded
from mirrorcore.trading.trades import TradeBook


def test_the_price_of_an_order_filled_in_parts_is_that_of_all_of_them(tmp_path: Path) -> None:
    config = configured(tmp_path, **LIVELY)
    driven(config, {})
    with Recorded(RunRegistry(config.storage.runs).find("last")) as recorded:
        books = Books(recorded.reader, recorded.units)
    (refused, *_) = [one for one in books.orders if not books.fills_of(one)]
    assert books.order_facts(refused).average is None
    (filled, *_) = [one for one in books.orders if books.fills_of(one)]
    (whole,) = books.fills_of(filled)
    fill = books.fills[whole]
    price = books.fill_facts(whole).price
    assert books.order_facts(filled).average == price

    # A venue with little to sell fills the rest dearer: three times as much, by a hundredth.
    dearer = msgspec.structs.replace(
        fill, lots=3 * fill.lots, price_ticks=fill.price_ticks * 101 // 100
    )
    books._enter(dearer, TradeBook(recorded.units))
    rest = books.fill_facts(books.fills_of(filled)[-1]).price
    told = books.order_facts(filled).average
    assert told is not None
    assert abs(told - (price + 3 * rest) / 4) < price * Decimal("1e-9")
    assert price < told < rest
