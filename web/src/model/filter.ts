/**
 * The filter language of the agent grid: `kind:fear status:paused,isolated pnl<0 !alpha "two words"`.
 *
 * Terms are separated by spaces and all have to hold; `!` in front negates one. `name:text` is a part of
 * a word, any of a comma list; `name<n`, `<=`, `>`, `>=`, `=` compare numbers. A bare word is part of the
 * agent's id or kind. A value that is missing satisfies no comparison.
 */

export type Cell = string | number | null;
export type ReadCell = (row: number, column: string) => Cell;
export type Keep = (row: number) => boolean;

export interface FilterColumn {
  readonly name: string;
  readonly numeric: boolean;
}

export type Filter =
  | { readonly ok: true; readonly keep: Keep }
  | { readonly ok: false; readonly problem: string };

const TERM = /(!?)(?:([a-z_]+)(:|<=|>=|<|>|=))?(?:"([^"]*)"|([^\s"]+))/giy;

export function compileFilter(
  text: string,
  columns: readonly FilterColumn[],
  read: ReadCell,
): Filter {
  const tests: Keep[] = [];
  TERM.lastIndex = 0;
  for (let at = 0; ; at = TERM.lastIndex) {
    while (text[at] === " ") at += 1;
    if (at >= text.length) break;
    TERM.lastIndex = at;
    const found = TERM.exec(text);
    if (!found) return { ok: false, problem: `not understood: ${text.slice(at)}` };
    const [, bang, name, sign, quoted, bare] = found;
    const value = quoted ?? bare ?? "";
    const made = name && sign ? named(name, sign, value, columns, read) : free(value, read);
    if (typeof made === "string") return { ok: false, problem: made };
    tests.push(bang ? (row) => !made(row) : made);
  }
  return { ok: true, keep: (row) => tests.every((test) => test(row)) };
}

function free(value: string, read: ReadCell): Keep {
  const wanted = value.toLowerCase();
  return (row) =>
    lower(read(row, "id")).includes(wanted) || lower(read(row, "kind")).includes(wanted);
}

function named(
  name: string,
  sign: string,
  value: string,
  columns: readonly FilterColumn[],
  read: ReadCell,
): Keep | string {
  const column = columns.find((one) => one.name === name.toLowerCase());
  if (!column) return unknown(name.toLowerCase(), columns.map((one) => one.name));
  if (sign === ":") {
    const words = value.toLowerCase().split(",").filter(Boolean);
    return (row) => {
      const cell = lower(read(row, column.name));
      return words.some((word) => cell.includes(word));
    };
  }
  if (!column.numeric) return `${column.name} is a word: write ${column.name}:${value}`;
  const bound = Number(value);
  if (value === "" || Number.isNaN(bound)) return `${column.name}${sign} wants a number`;
  return (row) => {
    const cell = read(row, column.name);
    return typeof cell === "number" && compares(cell, sign, bound);
  };
}

function unknown(name: string, names: readonly string[]): string {
  const [near] = names.map((one) => [distance(name, one), one] as const).sort(([a], [b]) => a - b);
  const meant = near && near[0] <= 2 ? `, did you mean ${near[1]}?` : "";
  return `no column ${name}${meant || `; there are ${names.join(", ")}`}`;
}

/** Letters to be changed, put in or left out to make one word of the other. */
function distance(one: string, other: string): number {
  let row = [...other, ""].map((_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [place, wanted] of [...other].entries()) {
      next.push(Math.min((row[place] ?? 0) + Number(letter !== wanted), (row[place + 1] ?? 0) + 1, (next[place] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function compares(cell: number, sign: string, bound: number): boolean {
  switch (sign) {
    case "<":
      return cell < bound;
    case "<=":
      return cell <= bound;
    case ">":
      return cell > bound;
    case ">=":
      return cell >= bound;
    default:
      return cell === bound;
  }
}

function lower(cell: Cell): string {
  return cell === null ? "" : String(cell).toLowerCase();
}
