/** The state of the swarm as a client knows it: made by a snapshot, moved on by deltas. */

import type {
  Alert,
  AgentsChange,
  AgentsSnapshot,
  Candle,
  CellValue,
  Columns,
  Decision,
  Delta,
  Enums,
  Fill,
  Finding,
  Flow,
  Happening,
  Limit,
  Order,
  Position,
  Series,
  Snap,
  Source,
  Table,
  TableChange,
  Top,
  Trade,
  Watched,
} from "./wire";

export interface State {
  ts: number;
  wall: number;
  enums: Enums;
  top: Top;
  /** Columns over agents; `t` is held as an instant, not as the difference that is sent. */
  agents: { n: number; c: Columns };
  px: Record<string, Candle[]>;
  eq: Series;
  emo: Series;
  pos: Table<Position>;
  ord: Table<Order>;
  dec: Table<Decision>;
  risk: Table<Limit>;
  src: Table<Source>;
  alerts: Table<Alert>;
  watch: Table<Watched>;
  fills: Fill[];
  tr: Trade[];
  ev: Happening[];
  em: Finding[];
  flow: Flow;
}

export type Section = Exclude<keyof State, "ts" | "wall">;

export const SECTIONS: readonly Section[] = [
  "enums", "top", "agents", "px", "eq", "emo", "pos", "ord", "dec", "risk", "src", "alerts",
  "watch", "fills", "tr", "ev", "em", "flow",
];

const CAPS = { ev: 500, em: 200, fills: 500, tr: 200, px: 500 } as const;

export function fromSnapshot(snap: Snap): State {
  return {
    ts: snap.ts,
    wall: snap.wall,
    enums: snap.enums,
    top: snap.top,
    agents: { n: snap.agents.n, c: kept(snap.agents.c, snap.ts) },
    px: snap.px,
    eq: snap.eq,
    emo: snap.emo,
    pos: snap.pos,
    ord: snap.ord,
    dec: snap.dec,
    risk: snap.risk,
    src: snap.src,
    alerts: snap.alerts,
    // A server of an earlier release has neither.
    watch: snap.watch ?? {},
    fills: snap.fills,
    tr: snap.tr,
    ev: snap.ev,
    em: snap.em ?? [],
    flow: snap.flow,
  };
}

/** Moves the state on by one delta; the caller has checked that it is the next one. */
export function applyDelta(state: State, delta: Delta): Section[] {
  state.ts = delta.ts;
  state.wall = delta.wall;
  if (delta.enums) Object.assign(state.enums, delta.enums);
  if (delta.top) Object.assign(state.top, delta.top);
  if (delta.agents) changeAgents(state.agents, delta.agents, delta.ts);
  if (delta.px) {
    for (const [symbol, candles] of Object.entries(delta.px)) {
      appendCandles((state.px[symbol] ??= []), candles);
    }
  }
  if (delta.eq) state.eq = thinned(state.eq, delta.eq);
  if (delta.emo) state.emo = thinned(state.emo, delta.emo);
  changeTable(state.pos, delta.pos);
  changeTable(state.ord, delta.ord);
  changeTable(state.dec, delta.dec);
  changeTable(state.risk, delta.risk);
  changeTable(state.src, delta.src);
  changeTable(state.alerts, delta.alerts);
  changeTable(state.watch, delta.watch);
  append(state.fills, delta.fills, CAPS.fills);
  append(state.tr, delta.tr, CAPS.tr);
  append(state.ev, delta.ev, CAPS.ev);
  append(state.em, delta.em, CAPS.em);
  if (delta.flow) state.flow = delta.flow;
  return SECTIONS.filter((section) => delta[section] !== undefined);
}

/** Columns that are sent as whole multiples of this share of one. */
const PARTS: Record<string, number> = { conf: 100, lean: 100, pnl: 100, w: 1000, hp: 100 };

function kept(sent: Columns, ts: number): Columns {
  const columns: Columns = {};
  for (const [name, values] of Object.entries(sent)) columns[name] = values.map(reader(name, ts));
  return columns;
}

/** Makes of a cell as it is sent what is kept: `t` comes as its distance to the frame's `ts`. */
function reader(name: string, ts: number): (value: CellValue) => CellValue {
  if (name === "t") return (value) => (typeof value === "number" ? ts - value : null);
  const parts = PARTS[name];
  if (parts === undefined) return (value) => value;
  return (value) => (typeof value === "number" ? value / parts : null);
}

function rowsOf(steps: readonly number[]): number[] {
  let row = 0;
  return steps.map((step) => (row += step));
}

function changeAgents(agents: AgentsSnapshot, change: AgentsChange, ts: number): void {
  if (change.add) {
    for (const [name, values] of Object.entries(kept(change.add.c, ts))) {
      (agents.c[name] ??= []).push(...values);
    }
    agents.n += change.add.n;
  }
  const common = change.i && rowsOf(change.i);
  for (const [name, sent] of Object.entries(change.d ?? {})) {
    const column = agents.c[name];
    if (!column) continue;
    const read = reader(name, ts);
    const one = Array.isArray(sent) ? null : read(sent);
    const count = common?.length ?? agents.n;
    for (let at = 0; at < count; at += 1) {
      column[common?.[at] ?? at] = Array.isArray(sent) ? read(sent[at] ?? null) : one;
    }
  }
  for (const [name, [steps, values]] of Object.entries(change.s ?? {})) {
    const column = agents.c[name];
    if (!column) continue;
    const read = reader(name, ts);
    rowsOf(steps).forEach((row, at) => (column[row] = read(values[at] ?? null)));
  }
}

function changeTable<R>(table: Table<R>, change: TableChange<R> | undefined): void {
  if (!change) return;
  for (const key of change.del ?? []) delete table[key];
  for (const [key, fields] of Object.entries(change.set ?? {})) {
    table[key] = { ...table[key], ...fields } as R;
  }
}

function append<R>(log: R[], rows: readonly R[] | undefined, cap: number): void {
  if (!rows) return;
  log.push(...rows);
  if (log.length > cap) log.splice(0, log.length - cap);
}

function appendCandles(candles: Candle[], sent: readonly Candle[]): void {
  for (const candle of sent) {
    if (candles.at(-1)?.[0] === candle[0]) candles[candles.length - 1] = candle;
    else candles.push(candle);
  }
  if (candles.length > CAPS.px) candles.splice(0, candles.length - CAPS.px);
}

/** The whole run in a bounded number of points: every k-th tick, and the last. */
function thinned(had: Series, sent: Series): Series {
  const points = [...had.p, ...sent.p];
  const last = points.length - 1;
  return { k: sent.k, p: points.filter((point, at) => at === last || point[0] % sent.k === 0) };
}
