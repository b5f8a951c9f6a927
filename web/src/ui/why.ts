/** The answer to a *why* as it is read: a sentence, the proof, the trade, the decision with its votes. */

import { el, type Child } from "./dom";
import { duration, money, percent, plain, signed, stamp } from "./format";
import { voteTable, type VoteRow } from "./votes";

/** What `mirrorcore why --json` says, as far as it is shown here; instants are nanoseconds. */
interface Vote {
  readonly agent: string;
  readonly forecast: number | null;
  readonly weight: number | null;
  readonly pull: number | null;
  readonly market_pull: number | null;
}

interface Decision {
  readonly id: string;
  readonly ts: number;
  readonly symbol: string;
  readonly equity: number;
  readonly price: number | null;
  readonly held: number;
  readonly target: number;
  readonly wanted: number;
  readonly fusion: {
    readonly edge: number | null;
    readonly market_edge: number | null;
    readonly conviction: number | null;
    readonly consensus: number | null;
    readonly forecast: number | null;
  } | null;
  readonly votes: readonly Vote[];
  readonly reads: readonly {
    readonly category: string;
    readonly name: string;
    readonly value: number | null;
    readonly known_at: number | null;
    readonly readers: readonly string[];
  }[];
  readonly gate: {
    readonly agent: string | null;
    readonly share: number;
    readonly silent: boolean;
    readonly said: number | null;
    readonly factors: Record<string, number>;
  };
  readonly clips: readonly {
    readonly limit: string;
    readonly symbol: string;
    readonly asked: number;
    readonly allowed: number;
  }[];
  readonly blocked: readonly string[];
  readonly gateway: string;
}

interface Order {
  readonly id: string;
  readonly number: number;
  readonly symbol: string;
  readonly quantity: string;
  readonly filled: string;
  readonly status: string;
  readonly outcome: string;
  readonly reason: string;
  readonly mark: string | null;
  readonly bound: string | null;
  readonly average: string | null;
}

interface Fill {
  readonly id: string;
  readonly order: string;
  readonly ts: number;
  readonly quantity: string;
  readonly price: string;
  readonly fee: string;
  readonly slippage: string;
}

interface Trade {
  readonly id: string;
  readonly symbol: string;
  readonly side: string;
  readonly is_open: boolean;
  readonly opened: number;
  readonly closed: number | null;
  readonly quantity: string;
  readonly entry: string;
  readonly exit: string | null;
  readonly gross: string;
  readonly fees: string;
  readonly slippage: string;
  readonly net: string;
}

export interface Explained {
  readonly kind: string;
  readonly currency: string;
  readonly headline: string;
  readonly proof: {
    readonly same: boolean | null;
    readonly blocks: number;
    readonly differing: readonly string[];
    readonly begun_at: readonly (number | null)[];
    readonly ticks: number;
    readonly orders_compared: number;
    readonly changes: readonly string[];
    readonly remarks: readonly string[];
  };
  readonly decisions: readonly Decision[];
  readonly orders: readonly Order[];
  readonly fills: readonly Fill[];
  readonly trade: Trade | null;
  readonly trades: readonly string[];
}

/** Of a thousand voters those that pulled most are shown. */
const MOST_VOTES = 12;

/** `open` is called with the agent whose name is clicked. */
export function whyView(told: Explained, open: (agent: string) => void): HTMLElement {
  const { trade, decisions } = told;
  const [first] = decisions;
  const last = trade && !trade.is_open && decisions.length > 1 ? decisions.at(-1) : undefined;
  return el("div.why", {},
    el("p.headline", {}, told.headline),
    proof(told.proof),
    trade && tradeFacts(trade, told.currency),
    trade && life(told),
    first && decision(first, open),
    last && decision(last, open),
    !trade && told.orders.length > 0 && orders(told.orders),
    !trade && told.fills.length > 0 && fills(told.fills, told.currency),
    !trade && told.trades.length > 0 && el("p.dim", {}, `Part of ${told.trades.join(" and ")}.`));
}

function proof(one: Explained["proof"]): HTMLElement {
  const from = one.begun_at.map((tick) => (tick === null ? "the start" : `the checkpoint at tick ${plain(tick)}`));
  const compared = `${one.ticks} ticks run again from ${from.join(" and ")}: ${one.blocks} blocks of decisions and ${one.orders_compared} orders compared`;
  const [look, word] = one.same === null ? ["warn", "▲ Not proven"] : one.same ? ["ok", "● As recorded"] : ["bad", "■ NOT as recorded, do not rely on this"];
  const notes = [...one.differing, ...one.changes.map((text) => `changed since: ${text}`), ...one.remarks];
  return el("div", {}, el("p", {}, el(`b.${look as "ok"}`, {}, word), `; ${compared}.`),
    notes.length > 0 && el("ul.warn", {}, ...notes.map((text) => el("li", {}, text))));
}

function tradeFacts(one: Trade, currency: string): HTMLElement {
  const soFar = one.is_open ? " so far" : "";
  const held = one.closed === null ? "still open" : `${instant(one.closed)} (${duration((one.closed - one.opened) / 1e6)})`;
  const look = Number(one.net) < 0 ? "down" : "up";
  return el("section", {},
    el("h3", {}, `Trade ${one.id}: ${one.side} ${one.quantity} ${one.symbol}`),
    facts([
      ["opened", instant(one.opened)], ["closed", held],
      ["in at", short(one.entry)], ["out at", one.exit === null ? "–" : short(one.exit)],
      [`gross${soFar}`, cash(one.gross, currency)], [`fees${soFar}`, cash(one.fees, currency)],
      [`net${soFar}`, el(`b.${look as "up"}`, {}, `${signed(Number(one.net), 2)} ${currency}`)],
      ["slippage", `${cash(one.slippage, currency)}, inside the prices`],
    ]),
    one.is_open && el("p.dim", {}, "What is still held is not in these sums."));
}

/** Every order of a trade with the decision behind it. */
function life(told: Explained): HTMLElement {
  const rows = told.orders.map((order, at) => {
    const one = told.decisions[at];
    return [`O${order.number}`, one ? instant(one.ts) : "–", order.filled, order.average ?? "–",
      percent(one?.target, 2), plain(one && Number(one.gate.share.toFixed(2))), percent(one?.wanted, 2)];
  });
  return table(["order", "decided", "filled", "price", "target", "× gate", "= wanted"], rows, 2);
}

function decision(one: Decision, open: (agent: string) => void): HTMLElement {
  const { fusion } = one;
  const all = one.votes.map((vote): VoteRow => ({
    agent: vote.agent, p: vote.forecast, weight: vote.weight, pull: vote.pull, market: vote.market_pull,
  }));
  const least = all.map(strength).sort((a, b) => b - a)[MOST_VOTES - 1] ?? 0;
  const votes = all.length > MOST_VOTES ? all.filter((vote) => strength(vote) >= least).slice(0, MOST_VOTES) : all;
  const others = all.filter((vote) => !votes.includes(vote));
  const pulled = others.reduce((sum, vote) => sum + (vote.pull ?? 0), 0);
  const limits = [
    ...one.clips.map((clip) => `${clip.limit}${clip.symbol ? ` on ${clip.symbol}` : ""} cut ${percent(clip.asked, 2)} to ${percent(clip.allowed, 2)}`),
    ...one.blocked.map((limit) => `${limit} has been reached`),
  ];
  const reads = one.reads.map((read) => [`${read.category}.${read.name}`, plain(read.value),
    read.known_at === null ? "never" : instant(read.known_at), read.readers.join(", ")]);
  return el("section", {},
    el("h3", {}, `Decision ${one.id}: ${one.symbol} at ${plain(one.price)}, ${instant(one.ts)} UTC`),
    el("ol.chain", { "aria-label": "From the votes to what was wanted" },
      step("edge", signed(fusion?.edge, 4), "sum of the pulls, in standard deviations of a bar"),
      step("→ target", percent(one.target, 2), `share of equity; conviction ${percent(fusion?.conviction)}, consensus ${percent(fusion?.consensus)}`),
      step("× gate", plain(Number(one.gate.share.toFixed(3))), "what the mind lets through"),
      step("= wanted", percent(one.wanted, 2), "share of equity"),
      step("held", percent(one.held, 2), "share of equity before it")),
    voteTable(votes, open),
    others.length > 0 && el("p.dim", {}, `and ${others.length} others, who pulled ${signed(pulled, 5)} together`),
    el("p", {}, el("span.dim", {}, "gate "), gate(one.gate)),
    el("p", {}, el("span.dim", {}, "limits "),
      limits.length > 0 ? el("span.warn", {}, limits.join("; ")) : "none clipped, none vetoed",
      `; gateway ${one.gateway}`),
    reads.length > 0 && el("details", {}, el("summary", {}, `what they looked at (${reads.length})`),
      table(["value of", "was", "known at", "by"], reads, 1, true)));
}

/** By how much a vote moved anything. */
function strength(vote: VoteRow): number {
  return Math.max(Math.abs(vote.pull ?? 0), Math.abs(vote.market ?? 0));
}

function step(name: string, value: string, title: string): HTMLElement {
  return el("li", { title }, el("span.dim", {}, name), el("b", {}, value));
}

function gate(one: Decision["gate"]): string {
  if (one.agent === null) return "there is none";
  if (one.said === null) return `${one.agent} has not spoken: nothing may grow`;
  const factors = Object.entries(one.factors).map(([name, value]) => `${name.replace(/^m_/, "")} ${Number(value.toFixed(2))}`);
  return `${one.agent} says ${Number(one.said.toFixed(3))} (${factors.join(" × ") || "no factors"})${one.silent ? "; too old: nothing may grow" : ""}`;
}

function orders(rows: readonly Order[]): HTMLElement {
  return el("section", {}, el("h3", {}, "Orders"),
    table(["order", "symbol", "side", "status", "because", "quantity", "filled", "mark", "worst price"], rows.map((one) => [
      `O${one.number}`, one.symbol, one.quantity.startsWith("-") ? "▼ sell" : "▲ buy", one.status, one.outcome || one.reason,
      one.quantity.replace("-", ""), one.filled.replace("-", ""), one.mark ?? "–", one.bound ?? "none"]), 5));
}

function fills(rows: readonly Fill[], currency: string): HTMLElement {
  return el("section", {}, el("h3", {}, "Fills"),
    table(["fill", "at", "quantity", "price", `fee ${currency}`, `slippage ${currency}`], rows.map((one) => [
      one.id, instant(one.ts), one.quantity, one.price, money(Number(one.fee)), money(Number(one.slippage))]), 2));
}

/** Columns, the first `left` of them (and the last, if so) for words and the others for figures. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], left: number, last = false): HTMLElement {
  const look = (at: number): "num" | "text" => (at < left || (last && at === heads.length - 1) ? "text" : "num");
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el(look(at) === "num" ? "th.num" : "th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((text, at) => el(`td.${look(at)}`, {}, text.replace(/^-/, "−")))))));
}

function facts(rows: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  return el("dl.facts", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** An exact decimal in six figures, as prices are read. */
function short(amount: string): string {
  return plain(Number(amount));
}

function cash(amount: string, currency: string): string {
  return `${money(Number(amount))} ${currency}`;
}

function instant(nanoseconds: number): string {
  return stamp(nanoseconds / 1e6);
}
