"""The page before a swarm on a live venue: what its sources do is seen where it happens."""

from __future__ import annotations

from pathlib import Path

from api_world import LiveSwarm
from chromium import browser, until
from page_world import Dashboard, number
from served_exchange import served_exchange

from mirrorcore.clock import MINUTE
from mirrorcore.exchange.faults import Fault
from mirrorcore.swarm.feeds import open_feed
from mirrorcore.swarm.live_paper import run_live
from mirrorcore.swarm.run import RunOutcome


class OnVenue(LiveSwarm):
    """The same on a venue, with the unmodified client of it."""

    def begin(self) -> RunOutcome:
        return run_live(self.config, open_feed(self.config), attach=self.attach).outcome


def on_venue(folder: Path, url: str) -> OnVenue:
    return OnVenue(
        folder, market__source="exchange", market__symbols=["BTC/USDT", "ETH/USDT"],
        market__timeframe="1s", market__bars=None, exchange__url=url, exchange__batch="200ms",
        exchange__lateness="200ms", exchange__stale_after="2s", paper__warmup="20s",
        paper__speed=1.0,
    )  # fmt: skip


def cells(dashboard: Dashboard) -> dict[str, str]:
    """The row of the venue in the tab of data, by its heads, once it is painted."""
    dashboard.page.locator("#side tbody tr").first.wait_for()
    rows = dashboard.js(
        """() => ["thead th", "tbody tr:first-child td"].map(
            what => [...document.querySelectorAll(`#side ${what}`)].map(one => one.innerText))"""
    )
    return dict(zip(*rows, strict=True))


def test_what_a_venue_does_is_seen_as_it_happens(tmp_path: Path) -> None:
    symbols = ("BTC/USDT", "ETH/USDT")
    with (
        served_exchange(symbols=symbols, history=MINUTE, speed=10) as venue,
        on_venue(tmp_path, venue.url) as swarm,
        browser() as chromium,
        Dashboard(chromium, swarm.port, swarm.token(), tab="data", wide="1") as dashboard,
    ):
        page = dashboard.page
        until(lambda: cells(dashboard)["state"] == "● live", "the venue is well")
        well = cells(dashboard)
        told = swarm.get("/api/v1/sources").document["result"]["sources"]["binance"]
        assert well["source"] == "binance"
        assert 0 < number(well["records"]) <= told["records"]
        assert well["faults"] == "0"

        venue.do(venue.exchange.inject, Fault(kind="stale", target="ethusdt", seconds=600))
        until(lambda: cells(dashboard)["state"] == "▲ live in part", "one symbol is silent", 30)
        assert "silent: ETH/USDT" in page.locator("#side tbody tr").inner_text()
        dashboard.key("w")
        page.locator("#symbol").select_option("ETH/USDT")
        until(lambda: "■ halted: stale" in dashboard.text("#price .head"), "it takes no new risk")
        page.locator("#tab-events").click()
        halt = page.locator("#side tbody tr", has_text="takes no new risk: stale").first
        halt.wait_for()
        assert "ETH/USDT" in halt.inner_text()

        page.locator("#tab-data").click()
        dashboard.key("w")
        faults = number(cells(dashboard)["faults"])
        venue.do(venue.exchange.inject, Fault(kind="drop"))
        until(lambda: number(cells(dashboard)["faults"]) > faults, "a lost connection counts", 30)
        until(lambda: number(cells(dashboard)["reconnects"]) > 0, "and is made anew", 30)
        page.locator("#tab-events").click()
        # From which state it came back depends on when the swarm looked.
        row = page.locator("#side tbody tr", has_text="→ live").first
        row.wait_for()
        assert row.inner_text().rstrip().endswith("→ live"), "said once"
