"""The HTML page: well-formed, alone in the world, true to the figures, safe against names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_examples import full_run, run_of, trade, with_identity

from mirrorcore.errors import MirrorCoreError
from mirrorcore.report import METRICS, RunResults, evaluate, page_trades, write_page
from mirrorcore.report.formatting import interval_text, measure_text, money
from mirrorcore.report.page import render_page
from mirrorcore.report.results import WeightPath

VOID = {"meta", "br", "img", "input", "link", "hr"}
RAW = {"script", "style"}


class Page(HTMLParser):
    """Reads a page strictly: what opens must close, in order; keeps what tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.rows: dict[str, list[list[str]]] = {}
        self._section = ""
        self._cell: list[str] | None = None
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, given))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "section":
            self._section = given["id"] or ""
        if tag == "tr":
            self.rows.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self._cell = []
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag
        if tag in ("td", "th") and self._cell is not None:
            self.rows[self._section][-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        inside = self.stack[-1] if self.stack else ""
        if inside == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif inside == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)
            if self._cell is not None:
                self._cell.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def figures(self) -> dict[str, Any]:
        (data,) = [body for given, body in self.scripts if given.get("type") == "application/json"]
        loaded: dict[str, Any] = json.loads(data)
        return loaded


@pytest.fixture(scope="module")
def results() -> RunResults:
    return full_run(ticks=30_000, trades=700)


@pytest.fixture(scope="module")
def page(results: RunResults) -> Page:
    return Page(render_page(results))


def points(trace: dict[str, Any]) -> Iterator[tuple[int, float]]:
    at = trace["x"]["first"]
    yield at, trace["y"][0]
    for step, value in zip(trace["x"]["steps"], trace["y"][1:], strict=True):
        at += step * trace["x"]["unit"]
        yield at, value


class TestAlone:
    """Opened from a disk without a network, it shows everything and asks for nothing."""

    def test_no_attribute_points_outside(self, page: Page) -> None:
        for tag, given in page.tags:
            assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form")
            for name, value in given.items():
                assert not name.startswith("on"), f"{tag} has {name}"
                if name in ("src", "href", "action", "srcset", "data", "poster", "xlink:href"):
                    assert value is not None
                    assert value.startswith("#")

    def test_style_loads_nothing(self, page: Page) -> None:
        assert page.styles
        assert not re.search(r"url\(|@import|https?:", "".join(page.styles))

    def test_own_script_names_no_address(self, page: Page) -> None:
        own = page.scripts[-1][1]
        assert "Plotly.react" in own
        assert "http" not in own

    def test_policy_allows_these_scripts_and_nothing_else(self, page: Page) -> None:
        (policy,) = [
            given["content"] or ""
            for tag, given in page.tags
            if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none';")
        assert "http" not in policy
        run = [body for given, body in page.scripts if given.get("type") is None]
        assert len(run) == 2
        hashes = [base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() for b in run]
        assert policy.endswith(" ".join(f"'sha256-{digest}'" for digest in hashes))

    def test_links_lead_somewhere_on_the_page(self, page: Page) -> None:
        ids = [given["id"] for _, given in page.tags if "id" in given]
        assert len(set(ids)) == len(ids)
        links = {given["href"] for tag, given in page.tags if tag == "a"}
        assert {f"#def-{name}" for name in ("sharpe", "calmar")} <= links
        assert {str(link)[1:] for link in links} <= set(ids)


class TestTrue:
    def test_each_figure_with_its_definition(self, results: RunResults, page: Page) -> None:
        found = evaluate(results)
        rows = {row[0]: row for row in page.rows["definitions"][1:]}
        assert len(rows) == len(METRICS)
        for name, metric in METRICS.items():
            row = rows[metric.label]
            assert row[1] == measure_text(name, found.measures[name])
            assert row[2] == metric.formula
            assert row[3].startswith(metric.definition)

    def test_headlines_with_intervals_shadow_and_market(
        self, results: RunResults, page: Page
    ) -> None:
        found = evaluate(results)
        for row in page.rows["headlines"][1:]:
            (name,) = [n for n, metric in METRICS.items() if metric.label == row[0]]
            assert row[1] == measure_text(name, found.measures[name])
            assert row[2] == interval_text(name, found.interval(name))
            assert row[3] == measure_text(name, found.shadow[name])
            assert row[4] == measure_text(name, found.market[name])

    def test_trades_shown_and_not_shown_are_all_the_trades(
        self, results: RunResults, page: Page
    ) -> None:
        closed = results.closed_trades
        ids = {t.id: t for t in results.trades}
        listed = [row for row in page.rows["trades"] if row[0] in ids]
        still_open = len(results.open_trades)
        assert len(listed) == page_trades.MOST_TRADES + still_open
        for row in listed:
            assert row[8] == money(ids[row[0]].pnl, 2, signed=True)
        shown = sum(ids[row[0]].pnl for row in listed[still_open:])
        rest = money(sum(t.pnl for t in closed) - shown, 2, signed=True)
        assert f"the {len(closed) - page_trades.MOST_TRADES} not shown sum to {rest}" in page.text

    def test_few_trades_are_all_listed(self) -> None:
        text = Page(render_page(run_of([101.0] * 3, trades=(trade(1.5), trade(-2.25, 2))))).text
        assert "All 2 closed trades" in text
        assert "+1.50" in text
        assert "-2.25" in text

    def test_groups_of_trades_sum_to_their_trades(self, results: RunResults, page: Page) -> None:
        groups = {
            (row[0], row[1]): row for row in page.rows["trades"] if row[1] in ("long", "short")
        }
        for (symbol, side), row in groups.items():
            members = [t for t in results.closed_trades if (t.symbol, t.side) == (symbol, side)]
            assert row[2] == str(len(members))
            assert row[4] == money(sum(t.pnl for t in members), 2, signed=True)

    def test_agents(self, results: RunResults, page: Page) -> None:
        rows = {row[0]: row for row in page.rows["agents"] if len(row) == 19}
        for agent in results.agents:
            row = rows[agent.id]
            assert row[4:8] == [
                f"{n:,}" for n in (agent.calls, agent.failures, agent.isolations, agent.restarts)
            ]
            if not agent.votes:
                assert set(row[8:]) == {"–"}
            elif agent.hit_rate is not None:
                assert row[10] == f"{100 * agent.hit_rate:.2f} %"
        assert "RuntimeError: made to crash on purpose" in page.text

    def test_limits_intake_warnings_identity(self, results: RunResults, page: Page) -> None:
        assert page.rows["limits"][1][:3] == ["per symbol", "SOL/USDT", "1,204"]
        assert page.rows["intake"][1] == ["simulated", "volume_spike", "flagged", "312"]
        run = results.identity
        for expected in (
            *results.warnings, run.fingerprint, *run.fingerprint_parts.values(), run.config_hash,
            *run.input_digests.values(), run.code_version, "numpy 2.4.6", run.processor,
        ):  # fmt: skip
            assert expected in page.text

    def test_curves_reach_every_extreme_of_the_run(self, results: RunResults, page: Page) -> None:
        traces = {t["name"]: t for t in page.figures["run-figure"]["traces"]}
        assert set(traces) == {
            "equity", "ungated shadow", "buy & hold", "drawdown", "gross exposure",
            "net exposure", "gate", "fear", "confidence",
        }  # fmt: skip
        drawn = dict(points(traces["equity"]))
        known = dict(zip((results.ts // 1_000_000).tolist(), results.equity.tolist(), strict=True))
        known[results.identity.period_start // 1_000_000] = results.initial_equity
        assert all(value == pytest.approx(known[at], rel=1e-6) for at, value in drawn.items())
        assert max(drawn.values()) == pytest.approx(results.equity.max(), rel=1e-6)
        assert min(drawn.values()) == pytest.approx(results.equity.min(), rel=1e-6)
        assert list(drawn.values())[-1] == pytest.approx(results.equity[-1], rel=1e-6)
        deepest = evaluate(results).measures["max_drawdown"].value
        assert min(traces["drawdown"]["y"]) == pytest.approx(-(deepest or 0), rel=1e-6)

    def test_weights_of_the_heaviest_voters(self, results: RunResults, page: Page) -> None:
        assert results.weights is not None
        traces = page.figures["weights-figure"]["traces"]
        assert {t["name"] for t in traces} == set(results.weights.names)
        assert None in traces[0]["y"]
        names = tuple(f"v{i:02}" for i in range(30))
        matrix = np.tile(np.arange(30.0), (5, 1))
        many = replace(results, weights=WeightPath(ts=results.ts[:5], names=names, matrix=matrix))
        crowded = Page(render_page(many))
        assert [t["name"] for t in crowded.figures["weights-figure"]["traces"]] == [
            f"v{i:02}" for i in range(29, 19, -1)
        ]
        assert "The 10 heaviest voters; 20 lighter ones not shown." in crowded.text

    def test_books_that_do_not_balance_are_a_warning(self) -> None:
        text = Page(render_page(run_of([100.0] * 3, accounting_residual=Decimal("0.01")))).text
        assert "the books do not balance: residual 0.01" in text


class TestHostileNames:
    EVIL = "</td></script><script>alert(1)</script>\"><img src=x onerror='a()'>&amp;\x1b[0m"

    def test_names_stay_text(self, results: RunResults, page: Page) -> None:
        evil = self.EVIL
        hostile = replace(
            with_identity(
                results,
                run_id=evil,
                data=evil,
                mode=evil,
                code_version=evil,
                fingerprint=evil,
                config_hash=evil,
                processor=evil,
                symbols=(evil,) * 4,
                seeds={evil: 1},
                input_digests={evil: evil},
                package_versions={evil: evil, "numpy": "2"},
                fingerprint_parts=dict.fromkeys(("a", "b", evil), evil),
            ),
            currency=evil,
            trades=tuple(
                replace(t, id=evil + t.id, symbol=evil, side=t.side, voters=((evil, 0.1),))
                for t in results.trades
            ),
            agents=tuple(
                replace(a, id=evil + a.id, kind=evil, last_error=evil if a.last_error else "")
                for a in results.agents
            ),
            limits=tuple(replace(hit, limit=evil, symbol=evil) for hit in results.limits),
            intake=tuple(replace(met, case=evil, source=evil) for met in results.intake),
            warnings=(evil,),
        )
        assert results.weights is not None
        hostile = replace(
            hostile, weights=replace(results.weights, names=(evil,) * len(results.weights.names))
        )
        read = Page(render_page(hostile))
        shape = [tag for tag, _ in read.tags]
        expected = [tag for tag, _ in page.tags]
        assert {tag: shape.count(tag) for tag in set(shape) - {"tr", "td"}} == {
            tag: expected.count(tag) for tag in set(expected) - {"tr", "td"}
        }
        assert self.EVIL.replace("\x1b", "�") in read.text
        # plotly reads markup in the texts it draws.
        for trace in read.figures["weights-figure"]["traces"]:
            assert "<" not in trace["name"]
        title = read.figures["run-figure"]["layout"]["yaxis"]["title"]["text"]
        assert "<" not in title


class TestPoorRuns:
    @pytest.mark.parametrize(
        "equity", [[], [101.0], [100.0] * 40, [50.0, -10.0, -20.0], [100.0, 101.0] * 20]
    )
    def test_say_why_and_never_nan(self, equity: list[float]) -> None:
        poor = run_of(equity)
        read = Page(render_page(poor))
        assert "n/a" in read.text
        assert not re.search(r"\b(nan|NaN|inf|Infinity|None)\b", read.text)
        rows = {row[0]: row for row in read.rows["definitions"][1:]}
        for name, measure in evaluate(poor).measures.items():
            if measure.value is None:
                assert rows[METRICS[name].label][3].endswith(
                    f"Here not available: {measure.reason}."
                )
        for identifier in ("curves", "trades", "agents", "limits", "intake"):
            assert any(given.get("id") == identifier for _, given in read.tags)

    def test_nothing_to_draw(self) -> None:
        read = Page(render_page(run_of([])))
        assert read.figures == {}
        assert "No tick was recorded" in read.text


class TestWriting:
    def test_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "report.html"
        path.write_text("before")

        def full_disk(self: Path, target: Path) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full_disk)
        with pytest.raises(MirrorCoreError, match="No space left on device"):
            write_page(run_of([101.0]), path)
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        assert path.read_text() == "before"

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MirrorCoreError, match="cannot write the report") as caught:
            write_page(run_of([101.0]), tmp_path / "nowhere" / "report.html")
        assert "folder exists" in caught.value.hint

    def test_a_year_is_small_and_fast(self, tmp_path: Path) -> None:
        year = full_run()
        path = tmp_path / "report.html"
        start = time.process_time()
        write_page(year, path)
        assert time.process_time() - start < 3.0
        assert path.stat().st_size < 6_000_000
        assert path.read_text(encoding="utf-8") == render_page(year)
