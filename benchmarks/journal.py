"""What one entry of a journal costs, beside the bare insertion of the same rows.

``python -m benchmarks.journal [--quick] [--folder DIR]``. Batched entries are an order's change of
status, as a replay of history writes them; their figure is process CPU time, the best of several
rounds, everything included: canonical encoding, chain hash, insertion, commit to disk. A durable
entry is an order's intent before the venue is called; its figure is wall time, because it waits
for the disk.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from mirrorcore.journal import Journal, JournalReader

DECIDED_AT = 1_700_000_000_000_000_000
BATCH = 2_000


def order(number: int) -> dict[str, Any]:
    return {
        "id": f"20240101-{number}",
        "symbol": number % 8,
        "lots": number * 3,
        "status": "filled",
        "price": number * 7,
    }


def write(path: Path, orders: list[dict[str, Any]]) -> float:
    """CPU seconds to journal the orders in batches."""
    journal = Journal.create(path, flush_every=BATCH)
    start = time.process_time()
    for number, body in enumerate(orders):
        journal.append("order", DECIDED_AT + number, body)
    journal.flush()
    spent = time.process_time() - start
    journal.close()
    return spent


def insert(path: Path, source: Path) -> float:
    """CPU seconds to insert the finished rows of ``source`` into a table of the same shape."""
    with JournalReader(source) as reader:
        rows = [(e.seq, e.ts, e.kind, e.data, e.hash) for e in reader.entries()]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, ts, kind, body, hash)")
    start = time.process_time()
    for first in range(0, len(rows), BATCH):
        connection.execute("BEGIN")
        batch = rows[first : first + BATCH]
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", batch)
        connection.execute("COMMIT")
    spent = time.process_time() - start
    connection.close()
    return spent


def verify(path: Path, expected: int) -> float:
    """CPU seconds to recompute the chain."""
    start = time.process_time()
    with JournalReader(path) as reader:
        verdict = reader.verify()
    spent = time.process_time() - start
    if not verdict.holds or verdict.entries != expected:
        raise SystemExit(f"the chain of {verdict.entries} entries broke: {verdict.reason}")
    return spent


def durable(path: Path, count: int) -> list[float]:
    """Wall seconds of each of ``count`` durable entries, in rising order."""
    journal = Journal.create(path)
    waits = []
    for number in range(count):
        start = time.perf_counter()
        journal.commit_before("order", DECIDED_AT + number, order(number))
        waits.append(time.perf_counter() - start)
    journal.close()
    return sorted(waits)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer entries, for a smoke run")
    parser.add_argument("--folder", type=Path, help="where to write; its disk is what is measured")
    arguments = parser.parse_args()
    count, rounds, commits = (20_000, 3, 100) if arguments.quick else (100_000, 7, 500)
    orders = [order(number) for number in range(count)]
    written, inserted, verified = [], [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for number in range(rounds):
            path = Path(folder) / f"{number}.sqlite"
            written.append(write(path, orders))
            verified.append(verify(path, count))
            inserted.append(insert(Path(folder) / f"{number}-bare.sqlite", path))
        size = path.stat().st_size
        waits = durable(Path(folder) / "durable.sqlite", commits)
    micro = 1e6 / count
    summary = {
        "benchmark": "journal",
        "entries": count,
        "us_per_entry": round(min(written) * micro, 2),
        "us_per_bare_insertion": round(min(inserted) * micro, 2),
        "times_bare": round(min(written) / min(inserted), 2),
        "us_per_verified_entry": round(min(verified) * micro, 2),
        "bytes_per_entry": round(size / count, 1),
        "durable_ms_median": round(waits[len(waits) // 2] * 1e3, 3),
        "durable_ms_p99": round(waits[len(waits) * 99 // 100] * 1e3, 3),
    }
    print(f"{'batched entry':24}{summary['us_per_entry']:8} us CPU")
    print(f"{'bare insertion':24}{summary['us_per_bare_insertion']:8} us CPU")
    print(f"{'verification':24}{summary['us_per_verified_entry']:8} us CPU")
    print(f"{'size':24}{summary['bytes_per_entry']:8} bytes an entry")
    print(f"{'durable entry':24}{summary['durable_ms_median']:8} ms wall (median)")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
