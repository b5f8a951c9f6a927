"""Real bars with holes, no configuration: the run finishes, balances and repeats to the bit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars

from benchmarks.evidence.record import Finding, no_data
from benchmarks.measure import DATA
from benchmarks.replay import FOLDERS

CLAIM = (
    "backtest --data on crypto_5m and crypto_1m without a config: finishes, residual exactly 0, "
    "the same fingerprint on a second run and under another PYTHONHASHSEED; another seed or one "
    "changed bar changes it"
)
_CODE = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main(sys.argv[1:]))"


def backtest(folder: Path, *options: str, hash_seed: str = "0") -> dict[str, Any]:
    """`mirrorcore backtest --data FOLDER --json` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-real-") as runs:
        arguments = ["backtest", "--data", str(folder), "--json", "--runs", runs, *options]
        done = subprocess.run(
            [sys.executable, "-c", _CODE, *arguments],
            cwd=runs,  # no configuration lies there
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"backtest of {folder.name}: {done.returncode}\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def with_one_bar_changed(folder: Path, copy: Path) -> str:
    """A copy in which the close of one bar in the middle is another; says which."""
    shutil.copytree(folder, copy)
    path = sorted(copy.glob("*.parquet"))[0]
    path.chmod(0o644)
    bars = polars.read_parquet(path)
    middle = bars.height // 2
    # The first bar from the middle on that has room for another close between low and high.
    room = bars.slice(middle).with_row_index("at").filter(polars.col("high") != polars.col("close"))
    at = middle + int(room["at"][0])
    close = bars["close"].to_list()
    close[at] = bars["high"][at]
    bars.with_columns(polars.Series("close", close, dtype=bars["close"].dtype)).write_parquet(path)
    return f"{path.name}, row {at}: close {bars['close'][at]} -> {close[at]}"


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    parts, others = one["fingerprint_parts"], other["fingerprint_parts"]
    return sorted(n for n in {*parts, *others} if parts.get(n) != others.get(n))


def shown(folder: Path, *options: str) -> dict[str, Any]:
    """Five backtests of one folder."""
    first = backtest(folder, *options)
    second = backtest(folder, *options)
    hashed = backtest(folder, *options, hash_seed="4711")
    seeded = backtest(folder, *options, "--seed", "7")
    with tempfile.TemporaryDirectory(prefix="mirrorcore-changed-") as place:
        copy = Path(place) / folder.name
        change = with_one_bar_changed(folder, copy)
        changed = backtest(copy, *options)
    mark = first["fingerprint"]
    facts = {
        "residual is 0": all(
            float(run["accounting_residual"]) == 0
            for run in (first, second, hashed, seeded, changed)
        ),
        "second run the same": second["fingerprint"] == mark,
        "another PYTHONHASHSEED the same": hashed["fingerprint"] == mark,
        "another seed differs": seeded["fingerprint"] != mark,
        "one changed bar differs": changed["fingerprint"] != mark,
    }
    return {
        "facts": facts,
        "fingerprint": mark,
        "parts": first["fingerprint_parts"],
        "parts_another_seed_changes": differing(first, seeded),
        "parts_one_bar_changes": differing(first, changed),
        "changed_bar": change,
        "symbol_bars": first["symbol_bars"],
        "fills": first["fills"],
        "trades": first["trades"],
        "cpu_s": [run["cpu_s"] for run in (first, second, hashed)],
        "symbol_bars_per_cpu_s": round(
            first["symbol_bars"] / min(run["cpu_s"] for run in (first, second, hashed))
        ),
        "peak_rss_mb": max(run["peak_rss_mb"] for run in (first, second, hashed)),
        "metrics": first["metrics"],
        "agents": first["agents"],
    }


def run(*, quick: bool = False) -> Finding:
    folders = [DATA / name for name in FOLDERS[: 1 if quick else None]]
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if missing:
        return no_data(CLAIM, ", ".join(missing))
    # The middle bar of crypto_5m is of 18 May 2025.
    options = ("--timerange", "20250516-20250521") if quick else ()
    found = {folder.name: shown(folder, *options) for folder in folders}
    headline = []
    for name, figures in found.items():
        failed = [fact for fact, holds in figures["facts"].items() if not holds]
        headline.append(
            f"{name}: {figures['symbol_bars']:,} symbol-bars, "
            f"{figures['symbol_bars_per_cpu_s']:,} per CPU s, {figures['peak_rss_mb']:.0f} MB; "
            + (f"FAILED: {', '.join(failed)}" if failed else "all facts hold")
            + f"; another seed changes {', '.join(figures['parts_another_seed_changes'])}"
        )
    return Finding(
        CLAIM,
        passed=all(holds for figures in found.values() for holds in figures["facts"].values()),
        headline=headline,
        figures=found,
        seeds=[42, 7],
        data={
            f"{name} {part}": digest
            for name, figures in found.items()
            for part, digest in figures["parts"].items()
            if part.startswith("input:")
        },
    )
