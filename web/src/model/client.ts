/**
 * The rules by which frames are taken: no gap is ever applied past, no old run ever overwrites a new
 * one. Pure: it has no clock and no connection, and tells its owner what to do.
 */

import { applyDelta, fromSnapshot, SECTIONS, type Section, type State } from "./state";
import type { Frame, Hello } from "./wire";

/** `gap`: ask for a snapshot, what is held is out of date; `ended`: the run is over. */
export type Verdict = "greeted" | "applied" | "alive" | "ignored" | "gap" | "ended";

export class Client {
  hello: Hello | null = null;
  state: State | null = null;
  epoch = 0;
  seq = 0;
  /** Whether frames were missed since the last snapshot, so that the state is old. */
  behind = false;
  ended: string | null = null;
  /** Frames applied, ever: how far a paused view is behind. */
  applied = 0;
  /** By section, how often it changed: what a panel compares to know whether to paint. */
  readonly version = Object.fromEntries(SECTIONS.map((name) => [name, 0])) as Record<
    Section,
    number
  >;
  #highest = 0;

  /** A new connection: what older ones heard of epochs does not bind it. */
  connected(): void {
    this.#highest = 0;
    this.hello = null;
  }

  /** What to say in `hello.resume`, if there is something to go on from. */
  get resume(): { epoch: number; seq: number } | null {
    return this.state && !this.behind ? { epoch: this.epoch, seq: this.seq } : null;
  }

  receive(frame: Frame): Verdict {
    switch (frame.t) {
      case "hello":
        if (this.#isOld(frame.epoch)) return "ignored";
        this.hello = frame;
        // Another run of the server: what is held is of the last one until its snapshot is here.
        if (this.state && frame.epoch !== this.epoch) this.behind = true;
        return "greeted";
      case "snap":
        if (this.#isOld(frame.epoch)) return "ignored";
        if (frame.epoch === this.epoch && frame.seq < this.seq && this.state) return "ignored";
        this.state = fromSnapshot(frame);
        this.#take(frame.epoch, frame.seq, SECTIONS);
        this.behind = false;
        this.ended = null;
        return "applied";
      case "d": {
        if (this.#isOld(frame.epoch)) return "ignored";
        if (frame.epoch !== this.epoch || !this.state) return this.#gap();
        if (frame.seq <= this.seq) return "ignored";
        if (this.behind || frame.seq !== this.seq + 1) return this.#gap();
        this.#take(frame.epoch, frame.seq, applyDelta(this.state, frame));
        return "applied";
      }
      case "hb":
        if (this.#isOld(frame.epoch)) return "ignored";
        if (frame.epoch === this.epoch && frame.seq < this.seq) return "ignored";
        if (this.behind || frame.epoch !== this.epoch || frame.seq !== this.seq || !this.state) {
          return this.#gap();
        }
        this.state.ts = frame.ts;
        this.state.wall = frame.wall;
        return "alive";
      case "end":
        if (this.#isOld(frame.epoch)) return "ignored";
        this.ended = frame.status;
        return "ended";
      default:
        return "ignored";
    }
  }

  #isOld(epoch: number): boolean {
    if (epoch < this.#highest) return true;
    this.#highest = epoch;
    return false;
  }

  #gap(): Verdict {
    this.behind = true;
    return "gap";
  }

  #take(epoch: number, seq: number, changed: readonly Section[]): void {
    this.epoch = epoch;
    this.seq = seq;
    this.applied += 1;
    for (const section of changed) this.version[section] += 1;
  }
}
