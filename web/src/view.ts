/** What is looked at, all of it in the address: a link shows another person the same. */

export interface View {
  symbol: string;
  filter: string;
  sort: string;
  tab: string;
  wide: boolean;
  agent: string;
  spark: string;
  theme: string;
}

const DEFAULTS: View = {
  symbol: "",
  filter: "",
  sort: "",
  tab: "events",
  wide: false,
  agent: "",
  spark: "pnl",
  theme: "",
};

const TOKEN = "mirrorcore.token";

export type Listener = (view: Readonly<View>, changed: ReadonlySet<keyof View>) => void;

/** The view, its listeners, and the address that says it. */
export class ViewStore {
  #view: View;
  readonly #listeners: Listener[] = [];

  constructor() {
    this.#view = readAddress();
    window.addEventListener("popstate", () => this.#become(readAddress()));
  }

  get now(): Readonly<View> {
    return this.#view;
  }

  listen(listener: Listener): void {
    this.#listeners.push(listener);
  }

  set(change: Partial<View>): void {
    const next = { ...this.#view, ...change };
    const parameters = new URLSearchParams();
    for (const name of names()) {
      if (next[name] === DEFAULTS[name]) continue;
      parameters.set(name, next[name] === true ? "1" : String(next[name]));
    }
    const query = parameters.toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    this.#become(next);
  }

  #become(next: View): void {
    const changed = new Set(names().filter((name) => next[name] !== this.#view[name]));
    this.#view = next;
    if (changed.size > 0) for (const listener of this.#listeners) listener(next, changed);
  }
}

function names(): (keyof View)[] {
  return Object.keys(DEFAULTS) as (keyof View)[];
}

function readAddress(): View {
  const parameters = new URLSearchParams(location.search);
  const text = (name: keyof View): string => parameters.get(name) ?? String(DEFAULTS[name]);
  return {
    symbol: text("symbol"),
    filter: text("filter"),
    sort: text("sort"),
    tab: text("tab"),
    wide: parameters.get("wide") === "1",
    agent: text("agent"),
    spark: text("spark"),
    theme: text("theme"),
  };
}

/** The token from the fragment `#t=`, kept for this tab alone; the address is cleared of it at once. */
export function takeToken(): void {
  const found = /^#t=(.+)$/.exec(location.hash);
  if (!found?.[1]) return;
  sessionStorage.setItem(TOKEN, decodeURIComponent(found[1]));
  history.replaceState(null, "", location.pathname + location.search);
}

export function token(): string | null {
  return sessionStorage.getItem(TOKEN);
}

export function setToken(value: string): void {
  sessionStorage.setItem(TOKEN, value);
}
