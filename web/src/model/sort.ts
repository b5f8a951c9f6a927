/** Sorting by several columns: `-pnl,kind` is by falling pnl, then by kind, then by row. */

import type { Cell, ReadCell } from "./filter";

export interface SortKey {
  readonly column: string;
  readonly falling: boolean;
}

export function parseSort(text: string, columns: readonly string[]): SortKey[] {
  return text
    .split(",")
    .map((part) => ({ column: part.replace(/^-/, ""), falling: part.startsWith("-") }))
    .filter((key) => columns.includes(key.column));
}

export function writeSort(keys: readonly SortKey[]): string {
  return keys.map((key) => (key.falling ? "-" : "") + key.column).join(",");
}

/** What a click on a head makes of the keys; with shift it adds to them. */
export function clickSort(keys: readonly SortKey[], column: string, adds: boolean): SortKey[] {
  const had = keys.find((key) => key.column === column);
  const next: SortKey = { column, falling: had ? !had.falling : false };
  if (!adds) return [next];
  return had ? keys.map((key) => (key.column === column ? next : key)) : [...keys, next];
}

export function sortRows(rows: number[], keys: readonly SortKey[], read: ReadCell): number[] {
  if (keys.length === 0) return rows.sort((a, b) => a - b);
  // Each cell is read once: a comparison sort would ask some n log n times.
  const cells = keys.map((key) => new Map(rows.map((row) => [row, read(row, key.column)])));
  return rows.sort((a, b) => {
    for (const [at, key] of keys.entries()) {
      const found = order(cells[at]?.get(a) ?? null, cells[at]?.get(b) ?? null, key.falling);
      if (found !== 0) return found;
    }
    return a - b;
  });
}

/** What is missing stands last, whichever way the rest is sorted. */
function order(left: Cell, right: Cell, falling: boolean): number {
  if (left === null || right === null) {
    return left === right ? 0 : left === null ? 1 : -1;
  }
  const found =
    typeof left === "number" && typeof right === "number"
      ? left - right
      : String(left).localeCompare(String(right), "en");
  return falling ? -found : found;
}
