/** One agent, whole: its figures, its last states and what changed, its life, its votes, what hit it. */

import type { App, Part } from "../app";
import { may } from "../app";
import { GRADES, SHAPES, actionOf, grade, named, numberAt, textAt } from "../model/agents";
import type { State } from "../model/state";
import type { Decision } from "../model/wire";
import { el, fill, say } from "./dom";
import { age, fixed, percent, plain, signed } from "./format";
import { AUDIT_COLUMNS, type AuditEntry } from "./audit";
import { command } from "./side";
import { LiveTable } from "./table";

const REFRESH = 2000;
const HISTORY = 50;
/** Elements of a vector whose change is shown. */
const ELEMENTS = 3;
const ACTIONS = [
  ["pause_agent", "pause", "target"],
  ["resume_agent", "resume", "target"],
  ["restart_agent", "restart", "target"],
  ["isolate_agent", "isolate", "target"],
  ["reset_breaker", "reset breaker", "target"],
] as const;

type Json = Record<string, unknown>;

/** What `inspect` answers, as far as it is shown here. */
interface Inspected {
  readonly state: Record<string, { value: unknown; unit: string; doc: string; of: string[] | null }>;
  /** By field, rows of instant and value, oldest first. */
  readonly history: Record<string, [at: string, value: unknown][]>;
  readonly statistics: Json;
  readonly health: Json;
  readonly events: { at: string; kind: string; detail: string }[];
  readonly commands: AuditEntry[];
  readonly cadence_s: number;
  readonly horizon_s: number;
  readonly reads: string[];
  readonly reads_agents: string[];
  readonly essential: boolean;
  readonly dead_letters: number;
}

export class Drawer implements Part {
  readonly every = 250;
  readonly #title = el("h2");
  readonly #facts = new Map<string, HTMLElement>();
  readonly #list = el("dl.facts");
  readonly #error = el("p.bad");
  readonly #acts = el("p.acts");
  readonly #problem = el("p.warn");
  readonly #more = el("div.scroll", { tabindex: 0 });
  #agent = "";
  #askedAt = -Infinity;
  #role = "";
  readonly #open = new Set<string>(["state", "what changed"]);

  constructor(
    private readonly app: App,
    private readonly place: HTMLElement,
  ) {
    const close = el("button.push", { type: "button", title: "close (Esc)" }, "✕");
    close.id = "drawer-close";
    close.addEventListener("click", () => app.view.set({ agent: "" }));
    place.append(el("div.head", {}, this.#title, close), this.#list, this.#error, this.#acts, this.#problem, this.#more);
    app.view.listen((_, changed) => {
      if (changed.has("agent")) this.#choose();
    });
    app.runner.listen(() => (this.#askedAt = -Infinity));
    this.#choose();
  }

  #choose(): void {
    this.#agent = this.app.view.now.agent;
    this.place.hidden = this.#agent === "";
    this.#askedAt = -Infinity;
    fill(this.#more);
    say(this.#problem, "");
    say(this.#title, this.#agent);
    this.#role = "";
    const state = this.app.shown();
    if (state) this.paint(state, performance.now());
  }

  paint(state: State, now: number): void {
    if (this.place.hidden) return;
    const row = state.agents.c.id?.indexOf(this.#agent) ?? -1;
    if (row < 0) {
      fill(this.#list);
      this.#facts.clear();
      say(this.#problem, "there is no agent of this name in this run");
      return;
    }
    this.#paintFacts(state, row);
    this.#paintActions();
    if (now - this.#askedAt >= REFRESH && !this.app.isPaused()) {
      this.#askedAt = now;
      void this.#inspect(this.#agent, state);
    }
  }

  #paintFacts(state: State, row: number): void {
    const health = numberAt(state, row, "hp");
    const level = grade(health);
    const spoken = numberAt(state, row, "t");
    const lean = numberAt(state, row, "lean");
    const figure = (wire: string, digits: number): string => fixed(numberAt(state, row, wire), digits);
    this.#fact("kind", named(state, "kind", numberAt(state, row, "kind") ?? 0));
    this.#fact("status", named(state, "st", numberAt(state, row, "st") ?? 0));
    this.#fact("health", `${SHAPES[level]} ${GRADES[level]} ${fixed(health, 2)}`);
    this.#fact("circuit", named(state, "cb", numberAt(state, row, "cb") ?? 0).replace("_", "-"));
    this.#fact("signal", `${actionOf(lean)} ${signed(lean, 2)}`);
    this.#fact("confidence", figure("conf", 2));
    this.#fact("own book", `${signed(numberAt(state, row, "pnl"), 2)} %`);
    this.#fact("weight", figure("w", 3));
    this.#fact("published", spoken === null ? "never" : `${age(this.app.marketNow() - spoken)} ago, version ${plain(numberAt(state, row, "v"))}`);
    this.#fact("mailbox", plain(numberAt(state, row, "mb")));
    this.#fact("calls", `${plain(numberAt(state, row, "calls"))}, failed ${plain(numberAt(state, row, "fails"))}`);
    this.#fact("restarts", plain(numberAt(state, row, "rest")));
    this.#fact("latency p99", `≤ ${plain(numberAt(state, row, "lat"))} ms`);
    const error = textAt(state, row, "err");
    say(this.#error, error ? `last error: ${error}` : "");
  }

  #fact(name: string, text: string): void {
    let where = this.#facts.get(name);
    if (!where) {
      where = el("dd");
      this.#facts.set(name, where);
      this.#list.append(el("dt", {}, name), where);
    }
    say(where, text);
  }

  #paintActions(): void {
    const role = this.app.link.client.hello?.role ?? "";
    const painted = `${role} ${this.app.specs.length} ${this.#agent}`;
    if (painted === this.#role) return;
    this.#role = painted;
    const known = ACTIONS.filter(([name]) => this.app.specs.some((spec) => spec.name === name));
    fill(this.#acts, ...(may(this.app, "operator")
      ? known.map(([name, text, parameter]) => command(this.app, name, { [parameter]: this.#agent }, text))
      : [el("span.dim", {}, "this token may only look")]));
  }

  async #inspect(agent: string, state: State): Promise<void> {
    const outcome = await this.app.runner.read("inspect", { agent, history: HISTORY });
    if (agent !== this.#agent) return;
    say(this.#problem, outcome.error ? outcome.error.message : "");
    if (!outcome.result || outcome.error) return;
    const found = outcome.result as unknown as Inspected;
    const top = this.#more.scrollTop;
    const past = changesOf(found);
    fill(this.#more,
      this.#section("state", Object.keys(found.state).length, stateTable(found)),
      this.#section("what changed", past.length, pastTable(past, found.state)),
      this.#votes(agent, state),
      this.#section("life", found.events.length, rowsTable(["when", "what", ""],
        [...found.events].reverse().map((one) => [clockOf(one.at), one.kind, one.detail]))),
      this.#section("commands", found.commands.length, audited(found.commands)),
      this.#section("calls and messages", 0, facts(found.statistics)),
      this.#section("health", 0, facts(found.health)),
      this.#section("wiring", 0, facts({
        "called every": found.cadence_s ? `${found.cadence_s} s` : "each tick",
        "forecasts over": found.horizon_s ? `${found.horizon_s} s` : null,
        reads: found.reads.join(", "), "reads agents": found.reads_agents.join(", "),
        essential: found.essential, "dead letters": found.dead_letters,
      })));
    this.#more.scrollTop = top;
  }

  #section(name: string, count: number, body: HTMLElement): HTMLElement {
    const details = el("details", { open: this.#open.has(name) },
      el("summary", {}, name + (count > 0 ? ` (${count})` : "")), body);
    details.addEventListener("toggle", () => {
      if (details.open) this.#open.add(name);
      else this.#open.delete(name);
    });
    return details;
  }

  /** What it said on the newest decision of each symbol, and what that moved. */
  #votes(agent: string, state: State): HTMLElement {
    const rows = Object.entries(state.dec).flatMap(([symbol, one]: [string, Decision]) =>
      one.votes.filter((vote) => vote.a === agent).map((vote) => [
        one.id, symbol, fixed(vote.p, 3), fixed(vote.w, 4), signed(vote.pull, 5), signed(vote.market, 5), percent(one.wanted, 2),
      ]));
    return this.#section("newest votes", rows.length,
      rowsTable(["decision", "symbol", "P(rise)", "weight", "pull", "on market", "wanted"], rows));
  }
}

interface Change {
  readonly at: string;
  readonly fields: (readonly [field: string, before: unknown, after: unknown])[];
}

/** What its last versions changed, newest first: the fields whose value differs from the one before. */
function changesOf(found: Inspected): Change[] {
  const byInstant = new Map<string, (readonly [string, unknown, unknown])[]>();
  for (const [field, rows] of Object.entries(found.history)) {
    rows.forEach(([at, value], place) => {
      const before = rows[place - 1]?.[1];
      if (place === 0 || JSON.stringify(before) === JSON.stringify(value)) return;
      byInstant.set(at, [...(byInstant.get(at) ?? []), [field, before, value]]);
    });
  }
  return [...byInstant].map(([at, fields]) => ({ at, fields })).sort((a, b) => (a.at < b.at ? 1 : -1));
}

function pastTable(past: readonly Change[], state: Inspected["state"]): HTMLElement {
  if (past.length === 0) return el("p.dim", {}, "nothing changed lately");
  return el("table", {}, el("tbody", {}, ...past.map((change) =>
    el("tr", {}, el("td.mono", {}, clockOf(change.at)), el("td.text", {}, ...change.fields.map(([field, before, after]) =>
      difference(field, before, after, state[field]?.of ?? null)))))));
}

/** One field, before and after; of a vector only the elements that differ. */
function difference(field: string, before: unknown, after: unknown, names: readonly string[] | null): HTMLElement {
  const line = (name: string, left: unknown, right: unknown): HTMLElement =>
    el("div", {}, el("span.dim", {}, `${name} `), el("del", {}, few(left, right)), " → ", el("ins", {}, few(right, left)));
  if (!Array.isArray(before) || !Array.isArray(after) || before.length !== after.length) {
    return line(field, before, after);
  }
  const places = after.flatMap((value, at) => (value === before[at] ? [] : [at]));
  return el("div", {}, ...places.slice(0, ELEMENTS).map((at) =>
    line(`${field}, ${names?.[at] ?? at}`, before[at], after[at])),
    places.length > ELEMENTS && el("div.dim", {}, `and ${places.length - ELEMENTS} more of ${field}`));
}

function stateTable(found: Inspected): HTMLElement {
  const rows = Object.entries(found.state).map(([field, one]) => {
    const values = Array.isArray(one.value)
      ? one.value.map((value, at) => `${one.of?.[at] ?? at} ${short(value)}`).join(", ")
      : short(one.value);
    return el("tr", { title: one.doc }, el("td", {}, field), el("td.text", {}, values), el("td.dim", {}, one.unit));
  });
  return rows.length > 0 ? el("table", {}, el("tbody", {}, ...rows)) : el("p.dim", {}, "it has published nothing yet");
}

function audited(entries: readonly AuditEntry[]): HTMLElement {
  const table = new LiveTable<AuditEntry>(AUDIT_COLUMNS, "nobody commanded it");
  table.element.classList.add("audit");
  table.paint([...entries].reverse().map((one) => [one.id, one] as const));
  return table.element;
}

function rowsTable(heads: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  if (rows.length === 0) return el("p.dim", {}, "none");
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", {}, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((text) => el("td.text", {}, text))))));
}

function facts(values: Json): HTMLElement {
  return el("dl.facts", {}, ...Object.entries(values).flatMap(([name, value]) => [
    el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, short(value)),
  ]));
}

function short(value: unknown): string {
  const text = plain(value);
  return text.length > 160 ? `${text.slice(0, 160)} …` : text;
}

/** Four figures are enough to see a change by, or as many as tell a value from the other one. */
function few(value: unknown, other: unknown): string {
  if (typeof value !== "number" || Number.isInteger(value)) return short(value);
  let digits = 4;
  while (digits < 17 && typeof other === "number" && value.toPrecision(digits) === other.toPrecision(digits)) digits += 1;
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

function clockOf(iso: string): string {
  return iso.slice(11, 19);
}
