/** What the swarm feels, and how much of its targets it lets through. */

import type { App, Part } from "../app";
import type { State } from "../model/state";
import { drawShares } from "./canvas";
import { el, say, setClass } from "./dom";
import { fixed } from "./format";

type Look = "ok" | "warn" | "bad";

interface Reading {
  readonly name: string;
  /** Column of a point of `emo`. */
  readonly at: number;
  readonly colour: string;
  readonly dash: readonly number[];
  /** Where a level begins, and its word. */
  readonly levels: readonly (readonly [from: number, word: string, look: Look])[];
}

const READINGS: readonly Reading[] = [
  { name: "fear", at: 2, colour: "bad", dash: [], levels: [[0, "calm", "ok"], [0.33, "uneasy", "warn"], [0.66, "afraid", "bad"]] },
  { name: "confidence", at: 3, colour: "ok", dash: [5, 3], levels: [[0, "low", "bad"], [0.33, "fair", "warn"], [0.66, "high", "ok"]] },
  { name: "gate", at: 4, colour: "text", dash: [2, 2], levels: [[0, "closing", "bad"], [0.33, "narrow", "warn"], [0.66, "open", "ok"]] },
  { name: "greed", at: 5, colour: "warn", dash: [8, 2, 2, 2], levels: [[0, "none", "ok"], [0.33, "some", "warn"], [0.66, "greedy", "bad"]] },
];

/** A bar of our own: browsers' meters have colours that not everybody tells apart, and no words. */
class Meter {
  readonly element: HTMLElement;
  readonly #number = el("span.figure");
  readonly #value = el("div.value");

  constructor(private readonly reading: Reading) {
    const ticks = reading.levels.slice(1).map(([from]) => {
      const tick = el("div.tick");
      tick.style.left = `${100 * from}%`;
      return tick;
    });
    this.element = el("div.meter", {}, el("span", {}, reading.name), this.#number,
      el("div.track", { "aria-hidden": "true" }, this.#value, ...ticks));
  }

  paint(value: number | null): void {
    this.element.hidden = value === null;
    if (value === null) return;
    const level = [...this.reading.levels].reverse().find(([from]) => value >= from);
    say(this.#number, `${fixed(value, 2)} ${level?.[1] ?? ""}`);
    setClass(this.#number, `figure ${level?.[2] ?? ""}`);
    setClass(this.#value, `value ${level?.[2] ?? ""}`);
    this.#value.style.transform = `scaleX(${Math.min(1, Math.max(0, value))})`;
  }
}

export class Mood implements Part {
  readonly every = 250;
  readonly #meters = READINGS.map((reading) => new Meter(reading));
  readonly #emotion = el("span.figure");
  readonly #lines = el("canvas", { "aria-hidden": "true" });
  readonly #silent = el("p.bad", { hidden: true }, "▲ the gate is silent: positions may only shrink");
  #painted = "";

  constructor(
    private readonly app: App,
    panel: HTMLElement,
  ) {
    const chart = el("div.chart", {}, this.#lines);
    this.#lines.style.position = "absolute";
    this.#lines.style.width = this.#lines.style.height = "100%";
    panel.append(
      el("div.head", {}, el("h2", {}, "Mind"), this.#emotion),
      this.#silent,
      ...this.#meters.map((meter) => meter.element),
      chart,
    );
    new ResizeObserver(() => {
      this.#painted = "";
    }).observe(chart);
  }

  dress(): void {
    this.#painted = "";
  }

  paint(state: State): void {
    const { top, emo } = state;
    say(this.#emotion, top.emotion && top.emotion !== "none" ? `feels ${top.emotion}` : "");
    this.#silent.hidden = !top.silent;
    const greed = emo.p.at(-1)?.[5] ?? null;
    [top.fear, top.conf, top.gate, greed].forEach((value, at) => this.#meters[at]?.paint(value));
    const painted = `${this.app.link.client.epoch} ${emo.k} ${emo.p.length} ${emo.p.at(-1)?.[0] ?? 0}`;
    if (painted === this.#painted) return;
    this.#painted = painted;
    drawShares(this.#lines, READINGS.map(({ at, colour, dash }) => ({
      colour, dash, values: emo.p.map((point) => point[at] ?? null),
    })));
  }
}
