/**
 * Price with trades and commands marked, equity with drawdown. Drawn by TradingView's Lightweight
 * Charts, at most four times a second; what is only appended is appended, not drawn anew.
 */

import {
  AreaSeries,
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  LineSeries,
  LineStyle,
  type AutoscaleInfo,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";

import type { App, Part } from "../app";
import type { State } from "../model/state";
import type { Candle, Point } from "../model/wire";
import { colour } from "./canvas";
import { el, fill, say } from "./dom";
import { money, percent } from "./format";

const MARKED = new Set(["command", "annotation", "gateway"]);
const LABELLED_MARKS = 40;
const APPENDED_MOST = 1000;
/** The least that the whole height of the drawdown stands for. */
const LEAST_DRAWDOWN = 0.001;
const MINUTE = 60_000;

function seconds(milliseconds: number): UTCTimestamp {
  return Math.floor(milliseconds / 1000) as UTCTimestamp;
}

function newChart(where: HTMLElement): IChartApi {
  return createChart(where, {
    autoSize: true,
    // The logo brings a style element of its own, which the page's policy forbids; the link that
    // the licence asks for stands in the head of the panel.
    layout: { attributionLogo: false, fontSize: 11 },
    timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 4 },
    crosshair: { mode: 0 },
  });
}

/** Bars shorter than a minute have seconds at their axis. */
function showSeconds(chart: IChartApi, state: State | null): void {
  const wanted = (state?.top.bar ?? MINUTE) < MINUTE;
  if (chart.timeScale().options().secondsVisible !== wanted) chart.applyOptions({ timeScale: { secondsVisible: wanted } });
}

function dress(chart: IChartApi): void {
  const line = colour("line");
  chart.applyOptions({
    layout: {
      background: { type: ColorType.Solid, color: colour("panel") },
      textColor: colour("dim"),
      panes: { separatorColor: line },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: line, style: LineStyle.Dotted } },
    timeScale: { borderColor: line },
    rightPriceScale: { borderColor: line },
  });
}

/** The library wants times that rise: of several within a second the last one stands. */
function rising<T extends { time: Time }>(rows: T[]): T[] {
  return rows.filter((row, at) => rows[at + 1]?.time !== row.time);
}

export class PriceChart implements Part {
  readonly every = 250;
  readonly #chart: IChartApi;
  readonly #series: ISeriesApi<"Candlestick">;
  readonly #marks: ISeriesMarkersPluginApi<Time>;
  readonly #symbols: HTMLSelectElement;
  readonly #note = el("span.figure");
  #painted: { candles: Candle[]; from: number; last: number; count: number } | null = null;
  #symbol = "";
  #digits = -1;
  #marked = "";

  constructor(
    private readonly app: App,
    panel: HTMLElement,
  ) {
    const chart = el("div");
    this.#symbols = el("select", { "aria-label": "Symbol" });
    this.#symbols.id = "symbol";
    this.#symbols.addEventListener("change", () => app.view.set({ symbol: this.#symbols.value }));
    panel.append(
      el("div.head", {}, el("h2", {}, "Price"), this.#symbols, this.#note,
        el("span.dim.push", {}, "▲ B bought  ▼ S sold  ■ command")),
      el("div.chart", { role: "img", "aria-label": "Candles of the symbol, with trades marked" }, chart),
    );
    this.#chart = newChart(chart);
    this.#series = this.#chart.addSeries(CandlestickSeries, { borderVisible: true });
    this.#marks = createSeriesMarkers(this.#series, []);
    this.dress();
  }

  dress(): void {
    dress(this.#chart);
    const [up, down] = [colour("up"), colour("down")];
    // Rising candles are hollow, so that the direction is seen without colour.
    this.#series.applyOptions({
      upColor: colour("panel"), borderUpColor: up, wickUpColor: up,
      downColor: down, borderDownColor: down, wickDownColor: down,
      priceLineColor: colour("dim"),
    });
    this.#marked = "";
  }

  paint(state: State): void {
    const { symbols } = state.top;
    if (this.#symbols.options.length !== symbols.length || this.#symbols.options[0]?.value !== symbols[0]) {
      fill(this.#symbols, ...symbols.map((name) => el("option", { value: name }, name)));
    }
    const wanted = this.app.view.now.symbol;
    const symbol = symbols.includes(wanted) ? wanted : (symbols[0] ?? "");
    if (this.#symbols.value !== symbol) this.#symbols.value = symbol;
    const candles = state.px[symbol] ?? [];
    if (this.#paintCandles(symbol, candles)) this.#marked = "";
    const halted = state.top.halted[symbol];
    const last = candles.at(-1);
    say(this.#note, (last ? money(last[4], Math.max(0, this.#digits)) : "no price yet") +
      (halted ? `  ■ halted: ${halted}` : ""));
    const version = this.app.link.client.version;
    const marked = `${version.fills} ${version.ev} ${symbol} ${candles[0]?.[0] ?? 0}`;
    if (marked !== this.#marked) {
      this.#marked = marked;
      this.#marks.setMarkers(marks(state, symbol, candles));
    }
  }

  /** True if everything was drawn anew. */
  #paintCandles(symbol: string, candles: Candle[]): boolean {
    const had = this.#painted;
    const lasts = candles.at(-1)?.[0] ?? 0;
    if (had && had.candles === candles && symbol === this.#symbol && had.count < APPENDED_MOST) {
      for (const candle of candles) {
        if (candle[0] < had.last) continue;
        this.#series.update(row(candle));
        if (candle[0] > had.last) had.count += 1;
      }
      had.last = lasts;
      return false;
    }
    const digits = decimals(candles);
    if (digits !== this.#digits) {
      this.#digits = digits;
      const minMove = 10 ** -digits;
      this.#series.applyOptions({ priceFormat: { type: "price", precision: digits, minMove } });
    }
    this.#series.setData(rising(candles.map(row)));
    if (symbol !== this.#symbol) {
      showSeconds(this.#chart, this.app.shown());
      this.#chart.timeScale().resetTimeScale();
    }
    this.#symbol = symbol;
    this.#painted = candles.length > 0 ? { candles, from: candles[0]?.[0] ?? 0, last: lasts, count: 0 } : null;
    return true;
  }
}

function row([t, open, high, low, close]: Candle): {
  time: UTCTimestamp; open: number; high: number; low: number; close: number;
} {
  return { time: seconds(t), open, high, low, close };
}

function decimals(candles: readonly Candle[]): number {
  let most = 0;
  for (const candle of candles.slice(-20)) {
    most = Math.max(most, String(candle[4]).split(".")[1]?.length ?? 0);
  }
  // Six figures tell a price; more would only take room.
  const price = Math.abs(candles.at(-1)?.[4] ?? 1) || 1;
  return Math.min(most, Math.max(2, 5 - Math.floor(Math.log10(price))), 8);
}

/** Trades of the symbol, and what people did, each at the candle in which it happened. */
function marks(state: State, symbol: string, candles: readonly Candle[]): SeriesMarker<Time>[] {
  const times = candles.map((candle) => candle[0]);
  const found = new Map<string, SeriesMarker<Time>>();
  const put = (t: number, name: string, mark: Omit<SeriesMarker<Time>, "time">): void => {
    const at = candleOf(times, t);
    if (at !== null) found.set(`${at} ${name}`, { ...mark, time: seconds(at) } as SeriesMarker<Time>);
  };
  for (const one of state.fills) {
    if (one.sym !== symbol) continue;
    put(one.t, one.side > 0 ? "B" : "S", one.side > 0
      ? { position: "belowBar", shape: "arrowUp", color: colour("up"), text: "B" }
      : { position: "aboveBar", shape: "arrowDown", color: colour("down"), text: "S" });
  }
  for (const one of state.ev) {
    if (!MARKED.has(one.kind)) continue;
    put(one.t, "command", { position: "aboveBar", shape: "square", color: colour("mark"), text: one.kind });
  }
  const sorted = [...found.values()].sort((a, b) => Number(a.time) - Number(b.time));
  if (sorted.length <= LABELLED_MARKS) return sorted;
  return sorted.map((mark) => ({ ...mark, text: mark.shape === "square" ? "◆" : "" }));
}

function candleOf(times: readonly number[], t: number): number | null {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Infinity) <= t) low = middle + 1;
    else high = middle;
  }
  return times[low - 1] ?? null;
}

export class EquityChart implements Part {
  readonly every = 500;
  readonly #chart: IChartApi;
  readonly #equity: ISeriesApi<"Line">;
  readonly #bench: ISeriesApi<"Line">;
  readonly #drawdown: ISeriesApi<"Area">;
  #painted = "";
  #moved = false;

  constructor(
    private readonly app: App,
    panel: HTMLElement,
  ) {
    const chart = el("div");
    panel.append(
      el("div.head", {}, el("h2", {}, "Equity"), el("span.figure.dim", {
          title: "dashed: equal parts of all symbols, bought at the begin and kept; below: drawdown",
        }, "━ equity  ┅ held  ▼ drawdown"),
        el("a.dim.push", {
          href: "https://www.tradingview.com/", target: "_blank", rel: "noopener noreferrer",
          title: "TradingView Lightweight Charts™, Copyright © 2026 TradingView, Inc.; see NOTICE.txt beside this page",
        }, "charts: TradingView")),
      el("div.chart", { role: "img", "aria-label": "Equity, benchmark and drawdown of the run" }, chart),
    );
    this.#chart = newChart(chart);
    const quiet = { priceLineVisible: false, crosshairMarkerVisible: false } as const;
    this.#bench = this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, lineStyle: LineStyle.Dashed, lastValueVisible: false });
    this.#equity = this.#chart.addSeries(LineSeries, { ...quiet, lineWidth: 2 });
    this.#drawdown = this.#chart.addSeries(AreaSeries, {
      ...quiet, lineWidth: 1, invertFilledArea: true,
      priceFormat: { type: "custom", minMove: 0.0001, formatter: (value: number) => percent(-value, 2) },
      // A drawdown of next to nothing is no block of colour.
      autoscaleInfoProvider: (made: () => AutoscaleInfo | null) => {
        const low = made()?.priceRange?.minValue ?? 0;
        return { priceRange: { minValue: Math.min(low, -LEAST_DRAWDOWN), maxValue: 0 } };
      },
    }, 1);
    this.#chart.panes()[0]?.setStretchFactor(3);
    this.#chart.panes()[1]?.setStretchFactor(1);
    for (const name of ["wheel", "pointerdown"]) {
      chart.addEventListener(name, () => (this.#moved = true), { passive: true });
    }
    chart.addEventListener("dblclick", () => {
      this.#moved = false;
      this.#chart.timeScale().fitContent();
    });
    this.dress();
  }

  dress(): void {
    dress(this.#chart);
    this.#equity.applyOptions({ color: colour("ok") });
    this.#bench.applyOptions({ color: colour("dim") });
    const down = colour("down");
    this.#drawdown.applyOptions({ lineColor: down, topColor: `${down}55`, bottomColor: `${down}22` });
  }

  paint(state: State): void {
    const { eq } = state;
    const painted = `${this.app.link.client.epoch} ${eq.k} ${eq.p.length} ${eq.p.at(-1)?.[0] ?? 0}`;
    if (painted === this.#painted) return;
    this.#painted = painted;
    this.#equity.setData(column(eq.p, 2));
    this.#drawdown.setData(column(eq.p, 3, -1));
    this.#bench.setData(column(eq.p, 4));
    showSeconds(this.#chart, state);
    if (!this.#moved) this.#chart.timeScale().fitContent();
  }
}

function column(points: readonly Point[], at: number, sign = 1): { time: UTCTimestamp; value: number }[] {
  const rows: { time: UTCTimestamp; value: number }[] = [];
  for (const point of points) {
    const value = point[at];
    if (typeof value === "number") rows.push({ time: seconds(point[1]), value: sign * value });
  }
  return rising(rows);
}
