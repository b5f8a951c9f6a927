/** Who did what, when, from where, and how it went: read from the journal while it is looked at. */

import type { App } from "../app";
import { el, say } from "./dom";
import { plain } from "./format";
import type { Tab } from "./side";
import { LiveTable, type TableColumn } from "./table";

/** An entry of the audit, as the journal holds it. */
export interface AuditEntry {
  readonly id: string;
  readonly command: string;
  readonly args: Record<string, unknown>;
  readonly by: { name: string; role: string; origin: string; address: string };
  readonly reason: string;
  readonly status: string;
  readonly error: string;
  readonly acked: readonly string[];
  readonly missing: readonly string[];
  readonly tick: number | null;
  readonly wall: string;
}

const EVERY = 5000;

export const AUDIT_COLUMNS: readonly TableColumn<AuditEntry>[] = [
  { head: "when", look: "dim written", title: "month and day, UTC", cell: (one) => one.wall.slice(5, 19).replace("T", " ") },
  { head: "who", cell: (one) => one.by.name },
  { head: "from", cell: (one) => [one.by.origin, one.by.address].filter(Boolean).join(" ") },
  { head: "command", look: "text written", cell: written },
  {
    head: "result",
    cell: (one) => ({
      text: [one.status, one.error.replaceAll("_", " "), counted(one)].filter(Boolean).join(", "),
      look: one.status === "done" ? "ok" : one.status === "partial" ? "warn" : "bad",
    }),
  },
  { head: "tick", look: "num lesser", cell: (one) => plain(one.tick) },
  { head: "reason", look: "text", cell: (one) => one.reason },
];

function written(one: AuditEntry): string {
  const args = Object.entries(one.args ?? {}).map(([name, value]) => `${name}=${plain(value)}`);
  return [one.command, ...args].join(" ");
}

function counted(one: AuditEntry): string {
  const all = one.acked.length + one.missing.length;
  return all > 0 ? `${one.acked.length} of ${all}` : "";
}

export class AuditTab implements Tab {
  readonly element: HTMLElement;
  readonly #problem = el("p.bad");
  readonly #table = new LiveTable<AuditEntry>(AUDIT_COLUMNS, "nobody has done anything yet");
  #askedAt = -Infinity;
  #entries: (readonly [string, AuditEntry])[] = [];

  constructor(private readonly app: App) {
    this.element = el("div.audit", {}, this.#problem, this.#table.element);
    app.runner.listen(() => (this.#askedAt = -Infinity));
  }

  paint(): void {
    const now = performance.now();
    if (now - this.#askedAt >= EVERY) {
      this.#askedAt = now;
      void this.#read();
    }
    this.#table.paint(this.#entries);
  }

  async #read(): Promise<void> {
    const outcome = await this.app.runner.read("audit", { limit: 100 });
    say(this.#problem, outcome.error ? outcome.error.message : "");
    const entries = outcome.result?.audit as AuditEntry[] | undefined;
    if (entries) this.#entries = entries.map((one) => [one.id, one] as const);
  }
}
