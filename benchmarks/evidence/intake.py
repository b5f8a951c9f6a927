"""What live records cost on their way in: trades checked and merged, features of many symbols."""

from __future__ import annotations

from functools import partial

from benchmarks import features, feed
from benchmarks.evidence.record import Finding

EACH, ROUNDS = 40_960, 5
SYMBOLS, BLOCK = 100, 512
CLAIM = (
    f"trades decoded, validated and merged at {feed.AT_LEAST:,} records per CPU second or more, in "
    f"batches of {BLOCK}; all features of {SYMBOLS} symbols, more than twenty of them, in at most "
    f"{features.AT_MOST / 1_000:g} us a symbol-bar in blocks of {BLOCK}"
)


def run(*, quick: bool = False) -> Finding:
    each, rounds = (4_096, 1) if quick else (EACH, ROUNDS)
    streams = [feed.stream(*one, count=each, seed=i) for i, one in enumerate(feed.STREAMS)]
    trades = {
        f"batches of {size}": feed.measure(partial(feed.Columns, streams, size), rounds)
        for size in feed.BATCHES
    }
    few = [feed.Stream(one.bodies[: each // 8], one.receipts[: each // 8]) for one in streams]
    trades["record by record"] = feed.measure(partial(feed.Records, few), rounds)
    told = features.measure(SYMBOLS, BLOCK, quick=quick)
    speed = trades[f"batches of {BLOCK}"]["records_per_cpu_s"]
    alone = trades["record by record"]["records_per_cpu_s"]
    cost = told["ns_per_symbol_bar"]
    return Finding(
        CLAIM,
        speed >= feed.AT_LEAST and cost <= features.AT_MOST,
        [
            f"{speed:,} trades per CPU second in batches of {BLOCK}, {alone:,} one by one",
            f"{cost:,.0f} ns a symbol-bar for all features of {SYMBOLS} symbols",
        ],
        {"trades": trades, "features": told},
        seeds=list(range(len(streams))),
    )
