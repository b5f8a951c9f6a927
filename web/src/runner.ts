/** Runs commands, asks where one must be confirmed, and keeps what ran: each click shows its command. */

import type { Api, Call, Outcome } from "./api";
import { confirmCall } from "./ui/confirm";

export interface Ran {
  readonly at: number;
  readonly line: string;
  readonly outcome: Outcome;
  readonly milliseconds: number;
}

const KEPT = 100;

export class Runner {
  readonly ran: Ran[] = [];
  readonly #listeners: ((ran: Ran) => void)[] = [];

  constructor(private readonly api: Api) {}

  listen(listener: (ran: Ran) => void): void {
    this.#listeners.push(listener);
  }

  /** Runs one command to its end, a confirmation included, and tells the listeners. */
  async run(name: string, args: Record<string, unknown> = {}): Promise<Outcome> {
    const begun = performance.now();
    let outcome = await this.api.execute({ name, args });
    const token = outcome.error?.confirm;
    if (token) {
      const answer = await confirmCall(write(name, args), outcome);
      if (answer) {
        const call: Call = { name, args, confirm: token, reason: answer.reason };
        outcome = await this.api.execute(call);
      } else {
        outcome = { name, status: "not confirmed" };
      }
    }
    const ran = {
      at: Date.now(),
      line: write(name, args),
      outcome,
      milliseconds: performance.now() - begun,
    };
    this.ran.push(ran);
    if (this.ran.length > KEPT) this.ran.shift();
    for (const listener of this.#listeners) listener(ran);
    return outcome;
  }

  /** Reads by a command without leaving a line: for panels that refresh themselves. */
  async read(name: string, args: Record<string, unknown> = {}): Promise<Outcome> {
    return this.api.execute({ name, args });
  }
}

/** The command as one would type it. */
export function write(name: string, args: Record<string, unknown>): string {
  const parts = Object.entries(args).map(([key, value]) => {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return `${key}=${text.includes(" ") ? `"${text}"` : text}`;
  });
  return [name, ...parts].join(" ");
}

/** One line on how it went. */
export function summary(outcome: Outcome): string {
  const { error, status, target_count: count, acked, missing } = outcome;
  if (error) return `${status}: ${error.message}${error.hint ? ` (${error.hint})` : ""}`;
  const parts = [status];
  if (count) parts.push(`${acked?.length ?? 0} of ${count} acknowledged`);
  if (missing && missing.length > 0) {
    parts.push(`missing: ${missing.slice(0, 5).map((one) => `${one.agent} (${one.why})`).join(", ")}`);
  }
  return parts.join(", ");
}

export function went(outcome: Outcome): "ok" | "warn" | "bad" {
  if (outcome.status === "done" || outcome.status === "dry_run") return "ok";
  return outcome.status === "partial" || outcome.status === "not confirmed" ? "warn" : "bad";
}
