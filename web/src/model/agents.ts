/** The columns of the agents as people name them, in filter, sort and grid. */

import type { Cell, FilterColumn } from "./filter";
import type { State } from "./state";
import type { CellValue, Enums } from "./wire";

interface Column extends FilterColumn {
  /** Its name on the wire. */
  readonly wire: string;
  readonly list?: keyof Enums;
}

export const COLUMNS: readonly Column[] = [
  { name: "id", also: ["agent"], wire: "id", numeric: false },
  { name: "kind", wire: "kind", numeric: false, list: "kind" },
  { name: "status", wire: "st", numeric: false, list: "st" },
  { name: "health", wire: "hp", numeric: true, words: (health) => GRADES[grade(health)] },
  { name: "conf", also: ["confidence"], wire: "conf", numeric: true },
  { name: "signal", wire: "lean", numeric: false },
  { name: "lean", wire: "lean", numeric: true },
  { name: "pnl", wire: "pnl", numeric: true },
  { name: "mailbox", wire: "mb", numeric: true },
  { name: "weight", wire: "w", numeric: true },
  { name: "age", wire: "t", numeric: true },
  { name: "circuit", wire: "cb", numeric: false, list: "cb" },
  { name: "calls", wire: "calls", numeric: true },
  { name: "fails", wire: "fails", numeric: true },
  { name: "restarts", wire: "rest", numeric: true },
  { name: "latency", wire: "lat", numeric: true },
  { name: "version", wire: "v", numeric: true },
  { name: "error", wire: "err", numeric: false },
];

const BY_NAME = new Map(COLUMNS.map((column) => [column.name, column]));

export function raw(state: State, row: number, wire: string): CellValue {
  return state.agents.c[wire]?.[row] ?? null;
}

export function numberAt(state: State, row: number, wire: string): number | null {
  const value = raw(state, row, wire);
  return typeof value === "number" ? value : null;
}

export function textAt(state: State, row: number, wire: string): string {
  return String(raw(state, row, wire) ?? "");
}

/** A cell as it is compared: names for numbers of lists, the age in seconds of the market's clock. */
export function cell(state: State, row: number, name: string): Cell {
  const column = BY_NAME.get(name);
  if (!column) return null;
  const value = raw(state, row, column.wire);
  if (column.list) return typeof value === "number" ? named(state, column.list, value) : null;
  if (name === "signal") return actionOf(typeof value === "number" ? value : null);
  if (name === "age") return typeof value === "number" ? (state.ts - value) / 1000 : null;
  return value;
}

const HELD = 0.02;

/** What an agent does whose vote leans so. */
export function actionOf(lean: number | null): "none" | "sell" | "hold" | "buy" {
  if (lean === null) return "none";
  return Math.abs(lean) <= HELD ? "hold" : lean > 0 ? "buy" : "sell";
}

export function named(state: State, list: keyof Enums, at: number): string {
  return state.enums[list][at] ?? `#${at}`;
}

/** `health`: 0 ok, 1 warn, 2 bad; the bounds are those of the wire. */
export function grade(health: number | null): 0 | 1 | 2 {
  if (health === null || health < 0.4) return 2;
  return health < 0.8 ? 1 : 0;
}

export const GRADES = ["ok", "warn", "bad"] as const;
/** A shape for each, so that nothing is told by colour alone. */
export const SHAPES = ["●", "▲", "■"] as const;
