/** What `WS /api/v1/live` says; `docs/wire.md` is the definition, this is its types. */

export interface Top {
  run: string;
  mode: string;
  source: string;
  real: boolean;
  speed: number | null;
  symbols: string[];
  bar: number;
  start: number;
  cur: string;
  tick: number;
  number: number;
  eq0: number;
  eq: number;
  day: number;
  dd: number;
  gross: number;
  net: number;
  gate: number;
  silent: boolean;
  fear: number | null;
  conf: number | null;
  emotion: string | null;
  gw: string;
  gw_reason: string;
  blocked: string[];
  halted: Record<string, string>;
  orders: number;
  fills: number;
  trades: number;
  won: number;
  fees: number;
  n: number;
  st: number[];
  hp: number[];
  warnings: number;
  alerts: number;
  clients: number;
  /** Whole seconds for which the swarm has owed an answer; 0 while it answers. */
  held: number;
}

export interface Enums {
  st: string[];
  cb: string[];
  sev: string[];
  kind: string[];
}

export interface Position {
  qty: number;
  mark: number | null;
  value: number;
  weight: number;
  target: number;
  wanted: number;
  avg: number | null;
  upnl: number;
  since: number | null;
  trade: string | null;
}

export interface Order {
  id: string;
  client: string;
  t: number;
  upd: number;
  sym: string;
  side: number;
  qty: number;
  filled: number;
  status: string;
  reason: string;
  outcome: string;
  mark: number | null;
  reduce: boolean;
}

export interface Fill {
  id: string;
  ord: string;
  t: number;
  sym: string;
  side: number;
  qty: number;
  px: number;
  fee: number;
  slip: number;
}

export interface Trade {
  id: string;
  sym: string;
  side: number;
  opened: number;
  closed: number;
  qty: number;
  entry: number;
  exit: number;
  net: number;
  ret: number;
  fees: number;
  slip: number;
  fills: number;
}

export interface Vote {
  a: string;
  p: number | null;
  w: number | null;
  pull: number | null;
  market: number | null;
  t: number | null;
}

export interface Clip {
  limit: string;
  sym: string;
  asked: number;
  allowed: number;
}

export interface Decision {
  id: string;
  tick: number;
  t: number;
  price: number | null;
  held: number;
  target: number;
  gate: number;
  silent: boolean;
  wanted: number;
  forecast: number | null;
  edge: number | null;
  market_edge: number | null;
  conviction: number | null;
  consensus: number | null;
  voters: number;
  votes: Vote[];
  clips: Clip[];
  blocked: string[];
  gw: string;
  orders: string[];
}

export interface Limit {
  now: number | null;
  limit: number;
  set: number;
  most: number;
  unit: string;
  hits: number;
  bound: boolean;
}

export interface Source {
  state: string;
  reason: string;
  breaker: string;
  ok: boolean;
  records: number;
  gaps: number;
  unfilled: number;
  dropped: number;
  duplicates: number;
  faults: number;
  reconnects: number;
  pending: number;
  stale: string[];
  heard: number | null;
  skew: number | null;
}

/** Empty before the first tick. */
export interface Flow {
  from?: string[];
  to?: string[];
  m?: [
    from: number,
    to: number,
    published: number,
    delivered: number,
    merged: number,
    lost: number,
    pending: number,
  ][];
}

export interface Happening {
  id: string;
  t: number;
  sev: number;
  kind: string;
  who: string;
  text: string;
}

export interface Alert {
  t: number;
  sev: number;
  who: string;
  text: string;
  ack: string | null;
}

/** `[t, open, high, low, close, volume]`. */
export type Candle = [number, number, number, number, number, number];
/** `[n, t, …]`; equity, drawdown, benchmark or fear, confidence, gate, greed. */
export type Point = [n: number, t: number, ...values: (number | null)[]];

export type CellValue = string | number | null;
export type Columns = Record<string, CellValue[]>;
export type Table<R> = Record<string, R>;

/** Of a row that is known, the fields that changed; of another one all. */
export interface TableChange<R> {
  set?: Table<Partial<R>>;
  del?: string[];
}

export interface Series {
  k: number;
  p: Point[];
}

/** Behaviour nobody coded; `why` is what explains it away, empty where nothing does. */
export interface Finding {
  id: string;
  t: number;
  tick: number;
  type: string;
  guide: string;
  agents: string[];
  n: number;
  eff: { name: string; value: number; unit: string; direction: string };
  p: number | null;
  e: number | null;
  w: [number, number];
  text: string;
  null: string;
  ev: Record<string, number>;
  given: string[];
  exp: boolean;
  why: string;
  alert: number | null;
  sym: string;
}

/** How one detector does; `budget` is what luck alone makes at most, `rate` what was measured. */
export interface Watched {
  ticks: number;
  n: number;
  expl: number;
  budget: number;
  exp: boolean;
  rate: string;
  syms: number;
  idle: string;
}

export interface AgentsSnapshot {
  n: number;
  c: Columns;
}

/** Rows are sent in rising order, each as its distance to the one before, the first to 0. */
export interface AgentsChange {
  add?: AgentsSnapshot;
  i?: number[];
  d?: Record<string, CellValue[] | CellValue>;
  s?: Record<string, [rows: number[], values: CellValue[]]>;
}

interface Numbered {
  epoch: number;
  seq: number;
  ts: number;
  wall: number;
}

export interface Hello {
  t: "hello";
  v: number;
  epoch: number;
  rate: number;
  role: string;
  wall: number;
  mode: string;
  run: string;
  schema: string;
}

export interface Snap extends Numbered {
  t: "snap";
  why: string;
  enums: Enums;
  top: Top;
  agents: AgentsSnapshot;
  px: Record<string, Candle[]>;
  eq: Series;
  emo: Series;
  pos: Table<Position>;
  ord: Table<Order>;
  dec: Table<Decision>;
  risk: Table<Limit>;
  src: Table<Source>;
  alerts: Table<Alert>;
  watch?: Table<Watched>;
  fills: Fill[];
  tr: Trade[];
  ev: Happening[];
  em?: Finding[];
  flow: Flow;
}

export interface Delta extends Numbered {
  t: "d";
  enums?: Partial<Enums>;
  top?: Partial<Top>;
  agents?: AgentsChange;
  px?: Record<string, Candle[]>;
  eq?: Series;
  emo?: Series;
  pos?: TableChange<Position>;
  ord?: TableChange<Order>;
  dec?: TableChange<Decision>;
  risk?: TableChange<Limit>;
  src?: TableChange<Source>;
  alerts?: TableChange<Alert>;
  watch?: TableChange<Watched>;
  fills?: Fill[];
  tr?: Trade[];
  ev?: Happening[];
  em?: Finding[];
  flow?: Flow;
}

export interface Heartbeat extends Numbered {
  t: "hb";
}

export interface End {
  t: "end";
  epoch: number;
  seq: number;
  status: string;
}

export type Frame = Hello | Snap | Delta | Heartbeat | End;
