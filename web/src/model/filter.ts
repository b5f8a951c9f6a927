/**
 * The filter language of the agent grid, the same as the terminal's: `kind:fear status:paused,isolated pnl<0`.
 *
 * Words between spaces all have to hold; `!` in front turns one round. `name:text` begins the column, any of a
 * comma list, or the word that stands beside a number; `<`, `<=`, `>`, `>=`, `=`, `!=` compare, `80%` is 0.8. A
 * bare word is part of any column of text. A value that is not there satisfies nothing, hence every negation.
 */

export type Cell = string | number | null;
export type ReadCell = (row: number, column: string) => Cell;
export type Keep = (row: number) => boolean;

export interface FilterColumn {
  readonly name: string;
  readonly numeric: boolean;
  /** Other names it goes by. */
  readonly also?: readonly string[];
  /** The word that is shown beside the number. */
  readonly words?: (value: number) => string;
}

export type Filter =
  | { readonly ok: true; readonly keep: Keep }
  | { readonly ok: false; readonly problem: string };

/** What a cell has to be; or, as text, what is wrong with the term. */
type Holds = (cell: Cell) => boolean;

const WORDS = /(?:[^\s"]|"[^"]*")+/g;
const TERM = /^([A-Za-z_][A-Za-z0-9_]*)(:|<=|>=|!=|<|>|=)(.*)$/s;
const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)$/i;

export function compileFilter(
  text: string,
  columns: readonly FilterColumn[],
  read: ReadCell,
): Filter {
  if ((text.match(/"/g) ?? []).length % 2) {
    return { ok: false, problem: 'a quote is not closed: write "two words"' };
  }
  const tests: Keep[] = [];
  for (const word of text.match(WORDS) ?? []) {
    const made = term(word, columns, read);
    if (typeof made === "string") return { ok: false, problem: made };
    tests.push(made);
  }
  return { ok: true, keep: (row) => tests.every((test) => test(row)) };
}

function term(word: string, columns: readonly FilterColumn[], read: ReadCell): Keep | string {
  const turned = word.startsWith("!");
  const body = turned ? word.slice(1) : word;
  if (!body) return "! stands alone: write !term, as in !status:running";
  if (body.startsWith("!")) return `${word}: one ! turns a term round, a second is none`;
  const found = body.startsWith('"') ? null : TERM.exec(body);
  if (!found) {
    const wanted = bare(body);
    const texts = columns.filter((one) => !one.numeric);
    return (row) => texts.some((one) => lower(read(row, one.name))?.includes(wanted)) !== turned;
  }
  const [, written = "", sign = "", rest = ""] = found;
  const name = written.toLowerCase();
  const column = columns.find((one) => one.name === name || one.also?.includes(name));
  if (!column) return unknown(name, columns.map((one) => one.name));
  const holds = condition(column, sign, bare(rest));
  if (typeof holds === "string") return holds;
  return (row) => holds(read(row, column.name)) !== turned;
}

function condition(column: FilterColumn, sign: string, value: string): Holds | string {
  const { name, numeric } = column;
  if (!value) return `nothing after ${name}${sign}`;
  if (sign === ":") return among(column, value.split(",").filter(Boolean));
  if (!numeric) {
    if (sign === "=") return (cell) => lower(cell) === value;
    if (sign === "!=") return (cell) => lower(cell) !== value;
    return `${name} is a word: write ${name}:${value}`;
  }
  const bound = number(value);
  if (bound === null) return `${name}${sign} wants a number, ${value} is none`;
  return (cell) => typeof cell === "number" && compares(cell, sign, bound);
}

/** `name:a,b`: text that begins so, the word beside a number, or these numbers. */
function among({ name, numeric, words }: FilterColumn, wanted: readonly string[]): Holds | string {
  if (wanted.length === 0) return `nothing between the commas of ${name}:`;
  const begins = (text: string | null): boolean =>
    text !== null && wanted.some((one) => text.startsWith(one));
  if (!numeric) return (cell) => begins(lower(cell));
  if (words) return (cell) => typeof cell === "number" && begins(words(cell));
  const numbers = wanted.map(number);
  const wrong = numbers.indexOf(null);
  if (wrong >= 0) return `${name}: wants a number, ${wanted[wrong]} is none`;
  return (cell) => typeof cell === "number" && numbers.includes(cell);
}

/** A number as it is written, `80%` is 0.8; null where it is none. */
function number(text: string): number | null {
  const plain = text.endsWith("%") ? text.slice(0, -1) : text;
  if (!NUMBER.test(plain)) return null;
  const value = /inf/i.test(plain) ? (plain.startsWith("-") ? -Infinity : Infinity) : Number(plain);
  return text.endsWith("%") ? value / 100 : value;
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
    case "!=":
      return cell !== bound;
    default:
      return cell === bound;
  }
}

function bare(text: string): string {
  return text.replaceAll('"', "").toLowerCase();
}

function lower(cell: Cell): string | null {
  return cell === null ? null : String(cell).toLowerCase();
}
