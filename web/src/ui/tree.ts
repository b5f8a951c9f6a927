/** An answer of unknown make as nested lists and tables, all of it text. */

import { el } from "./dom";
import { plain, stamp } from "./format";

type Json = Record<string, unknown>;

const DEEPEST = 6;
/** Rows of one table: a thousand agents in full would hold the page up. */
const MOST_ROWS = 100;
/** Of rows that hold tables themselves so many are shown one below the other. */
const MOST_NESTED = 12;

export function tree(value: unknown, depth = 0): HTMLElement {
  if (Array.isArray(value)) return list(value, depth);
  if (value !== null && typeof value === "object" && depth < DEEPEST) {
    const rows = Object.entries(value as Json).map(([name, one]) =>
      el("tr", {}, el("th", { scope: "row" }, name.replaceAll("_", " ")), el("td.text", {}, tree(one, depth + 1))));
    return el("table.tree", {}, el("tbody", {}, ...rows));
  }
  return el("span", {}, scalar(value));
}

/** Instants come in nanoseconds; nobody reads those. */
function scalar(value: unknown): string {
  return typeof value === "number" && value > 1e17 ? `${stamp(value / 1e6)} UTC` : plain(value);
}

function isDeep(value: unknown): boolean {
  return Array.isArray(value)
    ? value.some((one) => one !== null && typeof one === "object")
    : value !== null && typeof value === "object";
}

function list(rows: readonly unknown[], depth: number): HTMLElement {
  if (rows.length === 0) return el("span.dim", {}, "none");
  if (depth >= DEEPEST || rows.every((row) => row === null || typeof row !== "object")) {
    return el("span", {}, rows.map(scalar).join(", "));
  }
  const objects = rows.filter((row): row is Json => row !== null && typeof row === "object" && !Array.isArray(row));
  const nested = objects.some((row) => Object.values(row).some(isDeep));
  if (objects.length < rows.length || (nested && objects.length <= MOST_NESTED)) return el("div", {}, ...rows.map((row) => tree(row, depth + 1)));
  const names = [...new Set(objects.flatMap((row) => Object.keys(row)))];
  return el("div", {}, el("table", {},
    el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name.replaceAll("_", " "))))),
    el("tbody", {}, ...objects.slice(0, MOST_ROWS).map((row) =>
      el("tr", {}, ...names.map((name) => el("td.text", {}, name in row ? tree(row[name], depth + 1) : "")))))),
    objects.length > MOST_ROWS && el("p.dim", {}, `and ${objects.length - MOST_ROWS} more`));
}
