"""``python -m benchmarks.bus [--quick]``: tables, then one line of JSON."""

from __future__ import annotations

import argparse

from benchmarks.bus.run import run
from benchmarks.bus.tables import shown
from benchmarks.measure import report


def main() -> None:
    parser = argparse.ArgumentParser(description="SyncBus beside its rivals.")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    found = run(quick=parser.parse_args().quick)
    for text in shown(found):
        print(text, end="\n\n")
    report(found)


if __name__ == "__main__":
    main()
