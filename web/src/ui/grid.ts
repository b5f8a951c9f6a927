/**
 * The agents. Only rows that are seen exist as elements, so that a thousand agents cost what twenty do.
 *
 * Rows are put in order anew at most once a second, and never while pointer or focus are in the grid:
 * what somebody aims at must not move away under the hand.
 */

import type { App, Part } from "../app";
import { COLUMNS, GRADES, SHAPES, actionOf, cell, grade, named, numberAt, textAt } from "../model/agents";
import { compileFilter, type Keep } from "../model/filter";
import { History, SPARKS, type Spark } from "../model/history";
import { clickSort, parseSort, sortRows, writeSort, type SortKey } from "../model/sort";
import type { State } from "../model/state";
import { drawSpark } from "./canvas";
import { el, say, setClass } from "./dom";
import { age, fixed, signed } from "./format";

const ROW_HEIGHT = 24;
const REORDER_EVERY = 1000;

interface Shown {
  readonly name: string;
  readonly head: string;
  readonly width: string;
  readonly title: string;
  readonly numeric?: boolean;
}

const SHOWN: readonly Shown[] = [
  { name: "id", head: "agent", width: "minmax(140px, 1fr)", title: "id, as in commands" },
  { name: "kind", head: "kind", width: "minmax(56px, 0.5fr)", title: "kind of agent" },
  { name: "status", head: "status", width: "62px", title: "where it is in its life" },
  { name: "health", head: "health", width: "88px", title: "ok from 0.8, warn from 0.4" },
  { name: "conf", head: "conf", width: "38px", title: "confidence, 0 to 1", numeric: true },
  { name: "lean", head: "signal", width: "78px", title: "last action, and its vote from −1 to 1" },
  { name: "pnl", head: "PnL %", width: "56px", title: "its own paper book, % of capital, after costs", numeric: true },
  { name: "spark", head: "", width: "62px", title: "the last minute" },
  { name: "mailbox", head: "mail", width: "34px", title: "waiting in its mailbox", numeric: true },
  { name: "weight", head: "weight", width: "50px", title: "weight in the fusion", numeric: true },
  { name: "age", head: "age", width: "38px", title: "since it published last, in market time", numeric: true },
  { name: "circuit", head: "circuit", width: "62px", title: "circuit breaker" },
];

/** Columns that never change: sorted by these, rows stay where they are anyway. */
const LASTING = new Set(["id", "kind"]);

interface PoolRow {
  readonly element: HTMLElement;
  readonly cells: readonly HTMLElement[];
  readonly spark: HTMLCanvasElement;
  agent: number;
  drawn: string;
}

export class AgentGrid implements Part {
  readonly every = 100;
  readonly history = new History();
  readonly filter: HTMLInputElement;
  readonly #grid: HTMLElement;
  readonly #body: HTMLElement;
  readonly #space: HTMLElement;
  readonly #heads = new Map<string, HTMLElement>();
  readonly #count = el("span.dim");
  readonly #held = el("span.warn", { hidden: true }, "sort held");
  readonly #problem = el("p.bad", { role: "status" });
  readonly #spark: HTMLSelectElement;
  readonly #pool: PoolRow[] = [];
  readonly #nobody = el("p.nothing", { hidden: true }, "no agent is like that");
  #order: number[] = [];
  #current = -1;
  #keep: Keep = () => true;
  #keys: SortKey[] = [];
  #pointerIn = false;
  #orderedAt = -Infinity;
  #orderNow = true;
  #epoch = -1;
  #state: State | null = null;

  constructor(
    private readonly app: App,
    panel: HTMLElement,
  ) {
    this.filter = el("input", {
      type: "search",
      size: 42,
      placeholder: "filter:  kind:fear  status:paused  health<0.8  pnl>0  !word   ( / )",
      "aria-label": "Filter agents",
      spellcheck: "false",
      autocomplete: "off",
    });
    this.filter.id = "filter";
    this.#spark = el(
      "select",
      { "aria-label": "Figure of the small lines" },
      ...Object.keys(SPARKS).map((name) => el("option", { value: name }, name)),
    );
    this.#space = el("div.grid-space", { role: "rowgroup" });
    this.#body = el("div.grid-body", { role: "presentation" }, this.#space);
    this.#grid = el(
      "div.grid",
      { role: "grid", tabindex: 0, "aria-label": "Agents", "aria-colcount": SHOWN.length },
      this.#makeHead(),
      this.#nobody,
      this.#body,
    );
    this.#grid.id = "grid";
    this.#grid.style.setProperty("--columns", widths(() => true));
    // Where there is little room the kind, which mostly says the name again, is left out.
    this.#grid.style.setProperty("--columns-few", widths((name) => name !== "kind"));
    panel.append(
      el("div.head", {}, el("h2", {}, "Agents"), this.filter, this.#count, this.#held,
        el("label.dim.push", {}, "line: ", this.#spark)),
      this.#problem,
      this.#grid,
    );
    this.#listen();
    this.#fromView();
  }

  /** Row of the agent that is selected, or -1. */
  get current(): number {
    return this.#current;
  }

  focus(): void {
    this.#grid.focus();
  }

  select(agent: number): void {
    this.#current = agent;
    this.#orderNow = true;
  }

  paint(state: State, now: number): void {
    this.#state = state;
    if (this.app.link.client.epoch !== this.#epoch) {
      this.#epoch = this.app.link.client.epoch;
      this.#current = -1;
      this.#orderNow = true;
    }
    const held = this.#pointerIn || document.activeElement === this.#grid;
    if (this.#orderNow || (!held && now - this.#orderedAt >= REORDER_EVERY)) this.#reorder(now);
    this.#held.hidden = !(held && this.#keys.some((key) => !LASTING.has(key.column)));
    this.#paintRows(state);
  }

  #reorder(now: number): void {
    const state = this.#state;
    if (!state) return;
    const read = (row: number, column: string) => cell(state, row, column);
    const rows: number[] = [];
    for (let row = 0; row < state.agents.n; row += 1) if (this.#keep(row)) rows.push(row);
    this.#order = sortRows(rows, this.#keys, read);
    this.#orderedAt = now;
    this.#orderNow = false;
    this.#space.style.height = `${this.#order.length * ROW_HEIGHT}px`;
    this.#grid.setAttribute("aria-rowcount", String(this.#order.length + 1));
    this.#nobody.hidden = this.#order.length > 0;
    say(this.#count, `${this.#order.length} of ${state.agents.n}`);
  }

  #paintRows(state: State): void {
    const height = this.#body.clientHeight;
    const wanted = Math.min(this.#order.length, Math.ceil(height / ROW_HEIGHT) + 2);
    while (this.#pool.length < wanted) this.#pool.push(this.#makeRow());
    const most = Math.max(0, this.#order.length - wanted);
    const first = Math.min(most, Math.floor(this.#body.scrollTop / ROW_HEIGHT));
    const link = this.app.link.state();
    const old = link !== "live" && link !== "connecting";
    const marketNow = this.app.marketNow();
    const spark = sparkOf(this.app.view.now.spark);
    let active = "";
    this.#pool.forEach((row, at) => {
      const agent = this.#order[first + at];
      row.element.hidden = at >= wanted || agent === undefined;
      if (agent === undefined || at >= wanted) return;
      this.#paintRow(state, row, agent, first + at, old, marketNow, spark);
      if (agent === this.#current) active = row.element.id;
    });
    if (active) this.#grid.setAttribute("aria-activedescendant", active);
    else this.#grid.removeAttribute("aria-activedescendant");
  }

  #paintRow(
    state: State,
    row: PoolRow,
    agent: number,
    position: number,
    old: boolean,
    marketNow: number,
    spark: Spark,
  ): void {
    const status = named(state, "st", numberAt(state, agent, "st") ?? 0);
    const gone = status === "isolated" || status === "failed" || status === "removed";
    const classes = `grid-row${position % 2 ? " odd" : ""}${old || gone ? " stale" : ""}${
      agent === this.#current ? " current" : ""
    }`;
    setClass(row.element, classes);
    const top = `translateY(${position * ROW_HEIGHT}px)`;
    if (row.element.style.transform !== top) row.element.style.transform = top;
    if (row.agent !== agent) {
      row.agent = agent;
      row.drawn = "";
    }
    row.element.setAttribute("aria-rowindex", String(position + 2));
    row.element.setAttribute("aria-selected", String(agent === this.#current));
    const health = numberAt(state, agent, "hp");
    const level = grade(health);
    const lean = numberAt(state, agent, "lean");
    const pnl = numberAt(state, agent, "pnl");
    const spoken = numberAt(state, agent, "t");
    const circuit = named(state, "cb", numberAt(state, agent, "cb") ?? 0);
    const texts: readonly [text: string, look: string][] = [
      [textAt(state, agent, "id"), ""],
      [named(state, "kind", numberAt(state, agent, "kind") ?? 0), "dim"],
      [status, status === "running" ? "" : gone ? "bad" : "warn"],
      [`${SHAPES[level]} ${GRADES[level]} ${fixed(health, 2)}`, GRADES[level]],
      [fixed(numberAt(state, agent, "conf"), 2), "num"],
      [lean === null ? "–" : `${actionOf(lean)} ${signed(lean, 2)}`, ""],
      [signed(pnl, 2), pnl === null ? "num dim" : pnl < 0 ? "num down" : "num up"],
      ["", ""],
      [String(numberAt(state, agent, "mb") ?? "–"), "num"],
      [fixed(numberAt(state, agent, "w"), 3), "num"],
      [spoken === null ? "never" : age(marketNow - spoken), "num dim"],
      [circuit.replace("_", "-"), circuit === "closed" ? "dim" : "bad"],
    ];
    texts.forEach(([text, look], at) => {
      const into = row.cells[at];
      if (!into || SHOWN[at]?.name === "spark") return;
      say(into, text);
      setClass(into, look);
    });
    const drawn = `${this.history.taken} ${spark} ${document.documentElement.dataset.theme ?? ""}`;
    if (row.drawn !== drawn) {
      row.drawn = drawn;
      drawSpark(row.spark, this.history.line(agent, spark));
    }
  }

  #makeRow(): PoolRow {
    const spark = el("canvas", { width: 120, height: 36, "aria-hidden": "true" });
    const cells = SHOWN.map((column) =>
      el("div", { role: "gridcell" }, column.name === "spark" && spark),
    );
    const element = el("div.grid-row", { role: "row" }, ...cells);
    element.id = `agent-row-${this.#pool.length}`;
    const row: PoolRow = { element, cells, spark, agent: -1, drawn: "" };
    element.addEventListener("click", () => {
      this.#current = row.agent;
      if (this.app.view.now.agent) this.#open();
      this.#repaint();
    });
    element.addEventListener("dblclick", () => this.#open());
    this.#space.append(element);
    return row;
  }

  #makeHead(): HTMLElement {
    const row = el("div.grid-head", { role: "row", "aria-rowindex": 1 });
    for (const column of SHOWN) {
      const head = el(column.numeric ? "div.num" : "div", { role: "columnheader" });
      if (column.name !== "spark") {
        const button = el("button", { type: "button", title: `${column.title}; click sorts, shift-click adds` }, column.head);
        button.dataset.column = column.name;
        button.addEventListener("click", (click) => {
          const keys = clickSort(this.#keys, column.name, click.shiftKey);
          this.app.view.set({ sort: writeSort(keys) });
        });
        head.append(button);
        this.#heads.set(column.name, head);
      }
      if (column.name === "spark") head.append(el("span.unseen", {}, column.title));
      row.append(head);
    }
    return row;
  }

  #listen(): void {
    this.filter.addEventListener("input", () => this.app.view.set({ filter: this.filter.value }));
    this.#spark.addEventListener("change", () => this.app.view.set({ spark: this.#spark.value }));
    this.#grid.addEventListener("pointerenter", () => (this.#pointerIn = true));
    this.#grid.addEventListener("pointerleave", () => (this.#pointerIn = false));
    this.#body.addEventListener("scroll", () => this.#repaint(), { passive: true });
    this.#grid.addEventListener("keydown", (key) => this.#key(key));
    new ResizeObserver(() => this.#repaint()).observe(this.#body);
    this.app.view.listen((_, changed) => {
      if (changed.has("filter") || changed.has("sort") || changed.has("spark")) this.#fromView();
    });
  }

  #fromView(): void {
    const { filter, sort, spark } = this.app.view.now;
    if (this.filter.value !== filter) this.filter.value = filter;
    this.#spark.value = sparkOf(spark);
    const found = compileFilter(filter, COLUMNS, (row, column) =>
      this.#state ? cell(this.#state, row, column) : null,
    );
    if (found.ok) this.#keep = found.keep;
    say(this.#problem, found.ok ? "" : found.problem);
    this.filter.setAttribute("aria-invalid", String(!found.ok));
    this.#keys = parseSort(sort, COLUMNS.map((column) => column.name));
    for (const [name, head] of this.#heads) {
      const at = this.#keys.findIndex((key) => key.column === name);
      const key = this.#keys[at];
      head.setAttribute("aria-sort", key ? (key.falling ? "descending" : "ascending") : "none");
      const button = head.firstElementChild;
      const title = SHOWN.find((column) => column.name === name)?.head ?? name;
      const rank = this.#keys.length > 1 && key ? String(at + 1) : "";
      if (button) say(button, title + (key ? ` ${key.falling ? "▼" : "▲"}${rank}` : ""));
    }
    this.#orderNow = true;
    this.#repaint();
  }

  #repaint(): void {
    if (this.#state) this.paint(this.app.shown() ?? this.#state, performance.now());
  }

  #key(key: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#body.clientHeight / ROW_HEIGHT) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page,
      Home: -this.#order.length, End: this.#order.length,
    };
    const step = key.target === this.#grid ? steps[key.key] : undefined;
    if (step !== undefined && !key.ctrlKey && !key.metaKey && !key.altKey) {
      key.preventDefault();
      this.#move(step);
    } else if (key.key === "Enter" && key.target === this.#grid && this.#current >= 0) {
      key.preventDefault();
      this.#open();
    }
  }

  #move(step: number): void {
    const had = this.#order.indexOf(this.#current);
    const at = had < 0 ? 0 : Math.min(this.#order.length - 1, Math.max(0, had + step));
    this.#current = this.#order[at] ?? -1;
    const top = at * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.#body;
    if (top < scrollTop) this.#body.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) {
      this.#body.scrollTop = top + ROW_HEIGHT - clientHeight;
    }
    if (this.app.view.now.agent) this.#open();
    this.#repaint();
  }

  #open(): void {
    if (this.#state && this.#current >= 0) {
      this.app.view.set({ agent: textAt(this.#state, this.#current, "id") });
    }
  }
}

function widths(wanted: (name: string) => boolean): string {
  return SHOWN.filter((column) => wanted(column.name)).map((column) => column.width).join(" ");
}

function sparkOf(name: string): Spark {
  return name in SPARKS ? (name as Spark) : "pnl";
}
