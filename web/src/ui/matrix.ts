/** Who talks to whom, by kind, as a matrix: at a thousand agents a graph is a hairball. And the limits. */

import type { App } from "../app";
import { may } from "../app";
import type { State } from "../model/state";
import type { Flow, Limit } from "../model/wire";
import { el, fill, say, setClass } from "./dom";
import { percent, plain } from "./format";
import { command, type Tab } from "./side";

const COUNTS = ["published", "delivered", "merged", "lost", "pending"] as const;

export class FlowTab implements Tab {
  readonly element: HTMLElement;
  readonly #choice: HTMLSelectElement;
  readonly #place = el("div");
  #painted: Flow | null = null;

  constructor() {
    this.#choice = el("select", { "aria-label": "What is counted" },
      ...COUNTS.map((name) => el("option", { value: name }, name)));
    this.#choice.value = "delivered";
    this.#choice.addEventListener("change", () => {
      const had = this.#painted;
      this.#painted = null;
      if (had) this.#draw(had);
    });
    this.element = el("div", {},
      el("p", {}, "State changes from kinds of sources (rows) to kinds of agents (columns), those that have any: ", this.#choice), this.#place);
  }

  paint(state: State): void {
    if (state.flow !== this.#painted) this.#draw(state.flow);
  }

  #draw(flow: Flow): void {
    this.#painted = flow;
    const at = 2 + COUNTS.indexOf(this.#choice.value as (typeof COUNTS)[number]);
    const { from = [], to = [], m = [] } = flow;
    const counts = new Map(m.map((one) => [`${one[0]} ${one[1]}`, Number(one[at] ?? 0)]));
    const most = Math.max(1, ...counts.values());
    const some = [...counts].filter(([, count]) => count > 0).map(([key]) => key.split(" ").map(Number));
    const froms = from.map((name, row) => ({ name, row })).filter(({ row }) => some.some((one) => one[0] === row));
    const tos = to.map((name, column) => ({ name, column })).filter(({ column }) => some.some((one) => one[1] === column));
    const rows = froms.map(({ name, row }) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...tos.map(({ column }) => {
        const count = counts.get(`${row} ${column}`);
        const cell = el("td", {}, count === undefined ? "" : count.toLocaleString("en"));
        cell.style.setProperty("--share", `${Math.round((40 * (count ?? 0)) / most)}%`);
        return cell;
      })));
    fill(this.#place, some.length === 0
      ? el("p.nothing", {}, "none of that so far")
      : el("table.matrix", {},
          el("thead", {}, el("tr", {}, el("th", {}, "from \\ to"), ...tos.map(({ name }) => el("th", { scope: "col" }, name)))),
          el("tbody", {}, ...rows)));
  }
}

/** Limits in these units are shares, which are read as percent. */
const SHARES = new Set(["equity", "price"]);

interface LimitRow {
  readonly element: HTMLElement;
  readonly number: HTMLElement;
  readonly value: HTMLElement;
  readonly track: HTMLElement;
}

export class RiskTab implements Tab {
  readonly element: HTMLElement;
  readonly #gateway = el("p");
  readonly #halted = el("p.warn");
  readonly #place = el("div");
  readonly #rows = new Map<string, LimitRow>();

  constructor(private readonly app: App) {
    this.element = el("div", {}, this.#gateway, this.#halted, this.#place);
  }

  paint(state: State): void {
    const { top } = state;
    const closed = top.gw !== "active";
    const acts = el("span.acts");
    if (may(this.app, "operator")) {
      acts.append(command(this.app, "pause_entries", {}, "pause entries"),
        command(this.app, "resume_entries", {}, "resume entries"));
      if (closed) acts.append(command(this.app, "resume_trading", {}, "resume trading"));
    }
    if (this.#gateway.dataset.state !== `${top.gw} ${top.gw_reason} ${top.blocked.join()}`) {
      this.#gateway.dataset.state = `${top.gw} ${top.gw_reason} ${top.blocked.join()}`;
      fill(this.#gateway,
        el(closed ? "b.bad" : "b.ok", {}, `${closed ? "■" : "●"} gateway ${top.gw}`),
        ` ${top.gw_reason} `,
        top.blocked.length > 0 && el("span.warn", {}, `▲ new risk is kept out by ${top.blocked.join(", ")} `), acts);
    }
    const halts = Object.entries(top.halted);
    say(this.#halted, halts.map(([symbol, cause]) => `▲ ${symbol} takes no new risk: ${cause}`).join("; "));
    for (const [name, limit] of Object.entries(state.risk).sort(([a], [b]) => a.localeCompare(b))) {
      this.#paintLimit(name, limit);
    }
  }

  #paintLimit(name: string, limit: Limit): void {
    let row = this.#rows.get(name);
    if (!row) {
      const number = el("span.figure");
      const value = el("div.value");
      const track = el("div.track", { "aria-hidden": "true" }, value);
      row = { number, value, track, element: el("div.meter", {}, el("b", {}, name), number, track) };
      this.#rows.set(name, row);
      this.#place.append(row.element);
    }
    const share = limit.now === null || limit.limit === 0 ? 0 : Math.abs(limit.now) / limit.limit;
    const word = limit.bound ? "■ binds" : share >= 0.8 ? "▲ near" : "● free";
    const amount = (value: number): string => (SHARES.has(limit.unit) ? percent(value, 2).replace(".00", "") : plain(value));
    const unit = SHARES.has(limit.unit) ? `of ${limit.unit}` : limit.unit;
    const changed = limit.limit !== limit.set ? `, configured ${amount(limit.set)}` : "";
    row.element.title = `adjust_risk ${name} ${plain(limit.limit)}`;
    say(row.number, `${limit.now === null ? "" : `${amount(limit.now)}, limit `}${amount(limit.limit)} ${unit}` +
      `${changed}, at most ${amount(limit.most)}${limit.hits > 0 ? `; bound ${limit.hits}×` : ""}  ${word}`);
    const look = limit.bound ? "bad" : share >= 0.8 ? "warn" : "ok";
    setClass(row.number, `figure ${look}`);
    setClass(row.value, `value ${look}`);
    row.track.hidden = limit.now === null;
    row.value.style.transform = `scaleX(${Math.min(1, share)})`;
  }
}
