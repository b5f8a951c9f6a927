/** The panel of tabs: what happened, why, what is held, what limits it, who talks to whom, who did what. */

import type { App, Part } from "../app";
import { may } from "../app";
import type { State } from "../model/state";
import { DecisionsTab } from "./decisions";
import { el, fill, say } from "./dom";
import { EmergenceTab } from "./emergence";
import { clock, fixed, money, percent, plain, signed, stamp } from "./format";
import { FlowTab, RiskTab } from "./matrix";
import { LiveTable } from "./table";
import { AuditTab } from "./audit";

export interface Tab {
  readonly element: HTMLElement;
  paint(state: State): void;
}

const LOOKS = ["", "warn", "bad"];
const SIGNS = ["·", "▲", "■"];
const SHOWN_LAST = 200;

/** A tab that is one table over a section of the state. */
class TableTab<R extends object> implements Tab {
  readonly element: HTMLElement;

  constructor(
    private readonly table: LiveTable<R>,
    private readonly rows: (state: State) => (readonly [string, R])[],
  ) {
    this.element = table.element;
  }

  paint(state: State): void {
    this.table.paint(this.rows(state));
  }
}

function newest<R extends { id: string }>(log: readonly R[]): (readonly [string, R])[] {
  return log.slice(-SHOWN_LAST).reverse().map((one) => [one.id, one] as const);
}

const side = (value: number): { text: string; look: string } =>
  value > 0 ? { text: "▲ buy", look: "line up" } : { text: "▼ sell", look: "line down" };

/** A source that is up and yet not well brings only a part of what it should. */
function sourceState(one: State["src"][string]): { text: string; look: string } {
  if (one.ok) return { text: `● ${one.state}`, look: "line ok" };
  return one.state === "live" ? { text: "▲ live in part", look: "line warn" } : { text: `■ ${one.state}`, look: "line bad" };
}

const severity = (sev: number): { text: string; look: string } => ({
  text: SIGNS[sev] ?? "·",
  look: LOOKS[sev] ?? "",
});

function makeTabs(app: App): readonly (readonly [name: string, head: string, tab: Tab])[] {
  const why = (id: string): HTMLElement => {
    const button = el("button", { type: "button", title: `why ${id}` }, id);
    button.addEventListener("click", () => void app.runner.run("why", { id }));
    return button;
  };
  const events = new TableTab(
    new LiveTable<State["ev"][number]>(
      [
        { head: "time", look: "mono dim", cell: (one) => clock(one.t) },
        { head: "", spoken: "severity", cell: (one) => severity(one.sev) },
        { head: "what", cell: (one) => ({ text: one.kind, look: LOOKS[one.sev] ?? "" }) },
        { head: "who", look: "who", cell: (one) => one.who },
        { head: "", spoken: "in words", look: "text", cell: (one) => one.text },
      ],
      "nothing out of the ordinary so far; orders and trades have tabs of their own",
      (one) => app.view.set({ agent: one.who }),
    ),
    (state) => newest(state.ev),
  );
  const positions = new TableTab(
    new LiveTable<State["pos"][string] & { sym: string; cur: string }>(
      [
        { head: "symbol", cell: (one) => one.sym },
        { head: "held", look: "num", cell: (one) => plain(one.qty) },
        { head: "value", look: "num lesser", cell: (one) => money(one.value) },
        { head: "weight", look: "num", cell: (one) => percent(one.weight, 2) },
        { head: "target", look: "num lesser", title: "before the gate", cell: (one) => percent(one.target, 2) },
        { head: "wanted", look: "num", title: "what the gate lets through", cell: (one) => percent(one.wanted, 2) },
        { head: "mark", look: "num lesser", title: "the price it is valued at", cell: (one) => plain(one.mark) },
        { head: "open PnL", look: "num", cell: (one) => ({ text: signed(one.upnl, 2), look: one.upnl < 0 ? "down" : "up" }) },
        { head: "trade", cell: (one) => (one.trade ? why(one.trade) : "–") },
        { head: "", spoken: "what can be done", cell: (one) => (one.qty !== 0 && may(app, "operator") ? command(app, "exit", { target: one.sym }, "exit") : "") },
      ],
      "no symbols",
    ),
    (state) => state.top.symbols.flatMap((sym) => {
      const row = state.pos[sym];
      return row ? [[sym, { ...row, sym, cur: state.top.cur }] as const] : [];
    }),
  );
  const orders = new TableTab(
    new LiveTable<State["ord"][string]>(
      [
        { head: "order", cell: (one) => why(one.id) },
        { head: "decided", look: "mono dim", cell: (one) => clock(one.t) },
        { head: "symbol", cell: (one) => one.sym },
        { head: "side", cell: (one) => side(one.side) },
        { head: "filled", look: "num", cell: (one) => `${plain(one.filled)} / ${plain(one.qty)}` },
        { head: "status", cell: (one) => ({ text: one.status, look: one.status === "vetoed" ? "bad" : one.status === "cancelled" ? "warn" : "" }) },
        { head: "why", look: "text", cell: (one) => [one.reason, one.outcome].filter(Boolean).join(": ") },
        { head: "", spoken: "what can be done", cell: (one) => (["intent", "accepted", "partially_filled"].includes(one.status) && may(app, "operator") ? command(app, "cancel_order", { order: one.id }, "cancel") : "") },
      ],
      "no orders yet",
    ),
    (state) => Object.values(state.ord).sort((a, b) => b.t - a.t || number(b.id) - number(a.id)).map((one) => [one.id, one] as const),
  );
  const trades = new TableTab(
    new LiveTable<State["tr"][number]>(
      [
        { head: "trade", cell: (one) => why(one.id) },
        { head: "closed", look: "mono dim", title: "UTC", cell: (one) => stamp(one.closed).slice(5, 16) },
        { head: "symbol", cell: (one) => one.sym },
        { head: "side", cell: (one) => (one.side > 0 ? { text: "▲ long", look: "line up" } : { text: "▼ short", look: "line down" }) },
        { head: "entry → exit", look: "num lesser", cell: (one) => `${plain(one.entry)} → ${plain(one.exit)}` },
        { head: "net", look: "num", cell: (one) => ({ text: signed(one.net, 2), look: one.net < 0 ? "down" : "up" }) },
        { head: "return", look: "num", cell: (one) => `${signed(100 * one.ret, 2)} %` },
        { head: "fees", look: "num lesser", cell: (one) => fixed(one.fees, 2) },
      ],
      "no trade is closed yet",
    ),
    (state) => newest(state.tr),
  );
  const sources = new TableTab(
    new LiveTable<State["src"][string] & { name: string; wall: number }>(
      [
        { head: "source", cell: (one) => one.name },
        { head: "state", cell: (one) => sourceState(one) },
        { head: "records", look: "num", cell: (one) => String(one.records) },
        { head: "silent for", look: "num", cell: (one) => (one.heard === null ? "–" : `${fixed((one.wall - one.heard) / 1000, 1)} s`) },
        { head: "gaps", look: "num", cell: (one) => String(one.gaps) },
        { head: "unfilled", look: "num", title: "gaps that stay open", cell: (one) => String(one.unfilled) },
        { head: "dropped", title: "lost to a consumer too slow", look: "num", cell: (one) => String(one.dropped) },
        { head: "faults", look: "num", cell: (one) => String(one.faults) },
        { head: "reconnects", look: "num lesser", title: "connections made anew", cell: (one) => String(one.reconnects) },
        { head: "skew", look: "num lesser", title: "its clock against ours", cell: (one) => (one.skew === null ? "–" : `${plain(one.skew)} ms`) },
        { head: "", spoken: "in words", look: "text", cell: (one) => [one.reason === one.state ? "" : one.reason, one.stale.length ? `silent: ${one.stale.join(", ")}` : ""].filter(Boolean).join("; ") },
      ],
      "this run has no live sources: its market is simulated or recorded",
    ),
    (state) => Object.entries(state.src).sort(([a], [b]) => a.localeCompare(b)).map(([name, one]) => [name, { ...one, name, wall: state.wall }] as const),
  );
  const alerts = new TableTab(
    new LiveTable<State["alerts"][string] & { id: string }>(
      [
        { head: "time", look: "mono dim", cell: (one) => stamp(one.t) },
        { head: "", spoken: "severity", cell: (one) => severity(one.sev) },
        { head: "who", look: "who", cell: (one) => one.who },
        { head: "", spoken: "in words", look: "text", cell: (one) => one.text },
        { head: "", spoken: "what can be done", cell: (one) => (one.ack !== null ? `seen by ${one.ack}` : may(app, "operator") ? command(app, "ack_alert", { id: Number(one.id) }, "acknowledge") : "open") },
      ],
      "no alert",
    ),
    (state) => Object.entries(state.alerts).sort(([, a], [, b]) => b.t - a.t).map(([id, one]) => [id, { ...one, id }] as const),
  );
  return [
    ["events", "Events", events],
    ["decisions", "Decisions", new DecisionsTab(app)],
    ["positions", "Positions", positions],
    ["orders", "Orders", orders],
    ["trades", "Trades", trades],
    ["risk", "Risk", new RiskTab(app)],
    ["flow", "Flow", new FlowTab()],
    ["data", "Data", sources],
    ["alerts", "Alerts", alerts],
    ["audit", "Audit", new AuditTab(app)],
    ["emergence", "Emergence", new EmergenceTab(app)],
  ];
}

function number(id: string): number {
  return Number(/\d+/.exec(id)?.[0] ?? 0);
}

/** A button that runs one command, and says which. */
export function command(
  app: App,
  name: string,
  args: Record<string, unknown>,
  text: string,
): HTMLButtonElement {
  const line = [name, ...Object.entries(args).map(([key, value]) => `${key}=${String(value)}`)];
  const button = el("button", { type: "button", title: line.join(" ") }, text);
  button.addEventListener("click", () => void app.runner.run(name, args));
  return button;
}

export class Side implements Part {
  readonly every = 250;
  readonly #tabs: readonly (readonly [string, string, Tab])[];
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #place = el("div.scroll", { role: "tabpanel", tabindex: 0 });
  #shown = "";

  constructor(
    private readonly app: App,
    panel: HTMLElement,
  ) {
    this.#tabs = makeTabs(app);
    const list = el("div.tabs", { role: "tablist" });
    for (const [name, head] of this.#tabs) {
      const button = el("button", { type: "button", role: "tab" }, head);
      button.id = `tab-${name}`;
      button.addEventListener("click", () => app.view.set({ tab: name }));
      this.#buttons.set(name, button);
      list.append(button);
    }
    const wide = el("button", { type: "button", title: "as wide as the page (w)", "aria-label": "As wide as the page" }, "⤢");
    wide.id = "wide";
    wide.addEventListener("click", () => app.view.set({ wide: !app.view.now.wide }));
    panel.append(el("div.head", {}, list, wide), this.#place);
    this.#choose();
    app.view.listen(() => {
      this.#choose();
      const state = app.shown();
      if (state) this.paint(state);
    });
  }

  /** By key: `1` is the first tab, `0` the tenth. */
  chooseByKey(digit: string): void {
    const name = this.#tabs[(Number(digit) + 9) % 10]?.[0];
    if (name) this.app.view.set({ tab: name });
  }

  paint(state: State): void {
    const alerts = state.top.alerts;
    const button = this.#buttons.get("alerts");
    if (button) say(button, alerts > 0 ? `Alerts ▲${alerts}` : "Alerts");
    this.#current().paint(state);
  }

  #current(): Tab {
    const found = this.#tabs.find(([name]) => name === this.#shown) ?? this.#tabs[0];
    if (!found) throw new Error("there are no tabs");
    return found[2];
  }

  #choose(): void {
    const { tab, wide } = this.app.view.now;
    const known = this.#buttons.has(tab) ? tab : "events";
    document.getElementById("main")?.classList.toggle("wide", wide);
    for (const [name, button] of this.#buttons) {
      button.setAttribute("aria-selected", String(name === known));
    }
    if (known === this.#shown) return;
    this.#shown = known;
    this.#place.setAttribute("aria-labelledby", `tab-${known}`);
    fill(this.#place, this.#current().element);
    this.#place.scrollTop = 0;
  }
}
