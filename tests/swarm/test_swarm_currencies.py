"""A whole run over symbols that settle in two currencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from swarm_world import configured

from mirrorcore import replay_history
from mirrorcore.errors import ConfigError
from mirrorcore.report import render_screen
from mirrorcore.report.store import load_results
from mirrorcore.swarm.checks import check_accounting
from mirrorcore.swarm.engine import Engine

SYMBOLS = ["BTC/USDT", "ETH/EUR", "EUR/USDT"]


def test_a_run_in_two_currencies_balances_in_each(tmp_path: Path) -> None:
    config = configured(
        tmp_path, market__symbols=SYMBOLS, market__bars=1200, account__currency="USDT", seed=13
    )
    report = check_accounting(config)
    assert report.passed, report.lines
    assert report.details["fills"] > 5


def test_the_report_has_cash_by_currency(tmp_path: Path) -> None:
    config = configured(
        tmp_path, market__symbols=SYMBOLS, market__bars=1200, account__currency="USDT", seed=13
    )
    outcome = replay_history(config)
    results = outcome.results
    assert results.currency == "USDT"
    account, euro = results.cash
    assert (account.currency, euro.currency) == ("USDT", "EUR")
    assert euro.fees > 0
    assert euro.cash + euro.positions == pytest.approx(euro.results)
    assert account.worth + euro.worth == pytest.approx(results.equity[-1])
    assert load_results(outcome.path).cash == results.cash
    console = Console(width=140, record=True, file=(tmp_path / "screen").open("w"))
    with console.file:
        render_screen(results, console)
    assert "EUR, positions" in console.export_text()


def test_two_currencies_without_one_to_count_in_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 currencies") as caught:
        replay_history(configured(tmp_path, market__symbols=SYMBOLS, market__bars=60))
    assert "account.currency" in caught.value.hint


def test_a_halted_symbol_is_not_traded_and_the_report_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, market__bars=1200)
    free = replay_history(config).results
    begin = Engine.__init__

    def halted(self: Engine, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        self.halted = {0: "diverged"}

    monkeypatch.setattr(Engine, "__init__", halted)
    results = replay_history(config).results
    first = results.identity.symbols[0]
    assert first in {trade.symbol for trade in free.trades}
    assert first not in {trade.symbol for trade in results.trades}
    assert {hit.symbol for hit in results.limits if hit.limit == "diverged"} == {first}
