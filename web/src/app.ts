/** What the parts of the page share. */

import type { Api, Spec } from "./api";
import type { Link } from "./link";
import type { State } from "./model/state";
import type { Runner } from "./runner";
import type { ViewStore } from "./view";

export interface App {
  readonly link: Link;
  readonly api: Api;
  readonly view: ViewStore;
  readonly runner: Runner;
  specs: readonly Spec[];
  /** Commands that this token may not give -> the role each needs. */
  others: Readonly<Record<string, string>>;
  /** What is to be painted: the live state, or the one at which the view was paused. */
  shown(): State | null;
  isPaused(): boolean;
  togglePause(): void;
  /** Market time now, going on by the local clock after the last frame: nothing old looks new. */
  marketNow(): number;
  announce(text: string): void;
}

/** A part of the page; painted when something may have changed, at its own pace at most. */
export interface Part {
  /** Milliseconds between two paintings at least. */
  readonly every: number;
  paint(state: State, now: number): void;
}

export function may(app: App, role: "operator" | "admin"): boolean {
  const order = ["viewer", "operator", "admin"];
  return order.indexOf(app.link.client.hello?.role ?? "") >= order.indexOf(role);
}
