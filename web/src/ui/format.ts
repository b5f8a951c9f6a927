/** Numbers and times as people read them. Everything missing is a dash, never a zero. */

const NONE = "–";

export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? NONE : minus(value.toFixed(digits));
}

/** A minus as long as a plus; a zero has none. */
function minus(text: string): string {
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export function signed(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined) return NONE;
  const text = Math.abs(value).toFixed(digits);
  const zero = Number(text) === 0;
  return zero ? text : (value < 0 ? "−" : "+") + group(text);
}

export function money(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return NONE;
  return (value < 0 ? "−" : "") + group(Math.abs(value).toFixed(digits));
}

export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? NONE : `${minus((100 * share).toFixed(digits))} %`;
}

function group(text: string): string {
  const [whole = "", part] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, " ");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** How long ago, in as few characters as tell it. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1) return "<1s";
  if (seconds < 100) return `${Math.floor(seconds)}s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 360_000) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** How long, in the two largest units. */
export function duration(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  const parts = [[Math.floor(minutes / 1440), "d"], [Math.floor(minutes / 60) % 24, "h"], [minutes % 60, "min"]] as const;
  const from = parts.findIndex(([count]) => count > 0);
  if (from < 0) return `${Math.round(milliseconds / 1000)} s`;
  return parts.slice(from, from + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** An instant in UTC; markets have no local time. */
export function clock(milliseconds: number | null | undefined, precise = false): string {
  if (milliseconds === null || milliseconds === undefined) return NONE;
  return new Date(milliseconds).toISOString().slice(11, precise ? 23 : 19);
}

export function stamp(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return NONE;
  return new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ");
}

/** A value of unknown make, for tables of details. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") {
    return minus(String(Number.isInteger(value) ? value : Number(value.toPrecision(6))));
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
