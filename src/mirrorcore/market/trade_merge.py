"""The order of ``merge``, over columns of trades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirrorcore.market.block import Ints
from mirrorcore.market.trade_columns import TradeColumns


def merge_trades(streams: Sequence[TradeColumns]) -> tuple[Ints, TradeColumns]:
    """All trades of several sources in order of (``ts_avail``, position of the source, ``seq``).

    Unlike ``merge_records`` it needs all rows at once: those of one batch.

    Returns
    -------
    The position of the source of each row (n,), and the rows.
    """
    rank = np.repeat(np.arange(len(streams)), [len(one) for one in streams])
    rows = TradeColumns.joined(streams)
    order = np.lexsort((rows.seq, rank, rows.ts_avail))
    return rank[order], rows.take(order)
