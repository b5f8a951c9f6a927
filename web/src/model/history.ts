/** The last minute of every agent's figures, one sample a second, for the lines in the grid. */

import type { State } from "./state";

export const SAMPLES = 60;
export const SPARKS = { pnl: "pnl", conf: "conf", mailbox: "mb" } as const;
export type Spark = keyof typeof SPARKS;

export class History {
  #rows = 0;
  #taken = 0;
  #epoch = 0;
  #values: Record<Spark, Float32Array> = empty(0);

  sample(state: State, epoch: number): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#rows = this.#taken = 0;
      this.#values = empty(0);
    }
    if (state.agents.n > this.#rows) this.#grow(state.agents.n);
    const slot = this.#taken % SAMPLES;
    for (const [name, wire] of Object.entries(SPARKS) as [Spark, string][]) {
      const into = this.#values[name];
      const column = state.agents.c[wire];
      for (let row = 0; row < state.agents.n; row += 1) {
        const value = column?.[row];
        into[row * SAMPLES + slot] = typeof value === "number" ? value : Number.NaN;
      }
    }
    this.#taken += 1;
  }

  /** How many samples were taken: changes when a line has to be drawn anew. */
  get taken(): number {
    return this.#taken;
  }

  /** Oldest first; NaN where nothing was said. */
  line(row: number, spark: Spark): number[] {
    const count = Math.min(this.#taken, SAMPLES);
    const found: number[] = [];
    for (let at = this.#taken - count; at < this.#taken; at += 1) {
      found.push(this.#values[spark][row * SAMPLES + (at % SAMPLES)] ?? Number.NaN);
    }
    return found;
  }

  #grow(rows: number): void {
    const larger = empty(rows);
    for (const name of Object.keys(SPARKS) as Spark[]) larger[name].set(this.#values[name]);
    this.#values = larger;
    this.#rows = rows;
  }
}

function empty(rows: number): Record<Spark, Float32Array> {
  const make = (): Float32Array => new Float32Array(rows * SAMPLES).fill(Number.NaN);
  return { pnl: make(), conf: make(), mailbox: make() };
}
