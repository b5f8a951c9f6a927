"""The full report on recorded markets, with every check of ``mirrorcore evaluate``, as it comes.

Nothing here has a bar but that it finishes and its books balance: whether the swarm earns anything
on these markets is stated, whatever it is. Crypto has the costs a user has who sets none, forex
1 bp a side.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.evidence.record import Finding, no_data
from benchmarks.measure import DATA

CLAIM = (
    "the full report with walk-forward and verdict on crypto_1m, crypto_5m and forex: every check "
    "made, the books balance, the verdict stated whatever it is"
)
_CODE = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main(sys.argv[1:]))"
_FOREX = """
[market]
source = "recorded"
directory = "{folder}"
pattern = "ejtrader_{{symbol}}_{{timeframe}}_points.parquet"
timeframe = "{timeframe}"
symbols = {symbols}
{span}
[costs]
fee_bps = 0.5
slippage_bps = 0.5
"""
_CRYPTO = """
[market]
source = "recorded"
directory = "{folder}"
{span}
"""
MARKETS: dict[str, tuple[str, str, dict[str, str]]] = {
    "crypto_1m": ("crypto_1m", _CRYPTO, {}),
    "crypto_5m": ("crypto_5m", _CRYPTO, {}),
    # Those settled in dollars: a run has one currency.
    "forex, days": (
        "forex",
        _FOREX,
        {"timeframe": "1d", "symbols": '["AUDUSD", "EURUSD", "GBPUSD", "XAUUSD"]'},
    ),
    "forex, hours": (
        "forex",
        _FOREX,
        {
            "timeframe": "1h",
            "symbols": '["AUDUSD", "GBPUSD"]',
            "span": 'timerange = "20210101-20220101"',
        },
    ),
}


def evaluated(config: str) -> dict[str, Any]:
    """``mirrorcore evaluate --json`` with this configuration, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-report-") as folder:
        Path(folder, "swarm.toml").write_text(config, encoding="utf-8")
        arguments = ["evaluate", "-c", "swarm.toml", "--runs", "runs", "--json", "--jobs", "2"]
        done = subprocess.run(
            [sys.executable, "-c", _CODE, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"evaluate: {done.returncode}\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def kept(answer: dict[str, Any]) -> dict[str, Any]:
    """What the evidence keeps of a report."""
    names = (
        "symbols", "timeframe", "period", "fingerprint", "inputs", "symbol_bars", "orders", "fills",
        "trades", "accounting_residual", "metrics", "not_available", "intervals", "shadow",
        "buy_and_hold", "verdict", "trials", "checks", "costs", "agents", "limits", "warnings",
        "evaluation",
    )  # fmt: skip
    return {name: answer[name] for name in names}


def told(name: str, answer: dict[str, Any]) -> str:
    low_high = answer["intervals"].get("sharpe", {"low": float("nan"), "high": float("nan")})
    sharpe = answer["metrics"]["sharpe"]
    checks = ", ".join(
        f"{check['name']} {'passed' if check['passed'] else 'failed'}" for check in answer["checks"]
    )
    return (
        f"{name}: verdict {answer['verdict']['evidence']}; Sharpe {sharpe:.2f} "
        f"({low_high['low']:.2f} to {low_high['high']:.2f}), "
        f"return {100 * answer['metrics']['total_return']:+.1f} %, {answer['trades']} trades; "
        f"{checks}"
    )


def run(*, quick: bool = False) -> Finding:
    missing = [name for name in ("crypto_1m", "crypto_5m", "forex") if not (DATA / name).is_dir()]
    if missing:
        return no_data(CLAIM, ", ".join(missing))
    wanted = ["crypto_5m"] if quick else list(MARKETS)
    found = {}
    for name in wanted:
        folder, text, settings = MARKETS[name]
        if quick:
            settings = {"span": 'timerange = "20250404-20250605"'}
        config = text.format(**{"span": "", "folder": (DATA / folder).as_posix(), **settings})
        found[name] = kept(evaluated(config))
    return Finding(
        CLAIM,
        passed=all(
            answer["checks"] and float(answer["accounting_residual"]) == 0
            for answer in found.values()
        ),
        headline=[told(name, answer) for name, answer in found.items()],
        figures=found,
        data={
            f"{name} {source}": digest
            for name, answer in found.items()
            for source, digest in answer["inputs"].items()
        },
    )
