/** What nobody coded: when it was found, on what evidence, about whom, and how much of it luck makes. */

import type { App } from "../app";
import { may } from "../app";
import type { State } from "../model/state";
import type { Finding, Watched } from "../model/wire";
import { el, fill, setClass } from "./dom";
import { clock, plain } from "./format";
import { command, type Tab } from "./side";
import { LiveTable } from "./table";

type Detector = Watched & { type: string };
type Shown = Finding & { seen: string | null };

const figure = (value: number): string => String(Number(value.toPrecision(4)));

/** What is claimed, how much of it there is, on what evidence, against what, and what explains it. */
function claim(one: Finding): string {
  const { name, value, unit, direction } = one.eff;
  const evidence = one.e === null ? `p = ${figure(one.p ?? 1)}` : `e = ${figure(one.e)}`;
  return [
    one.why && `Explained away: ${one.why}.`,
    one.text,
    `${name} ${figure(value)} ${unit}, ${direction}; ${evidence} over 10,000 ticks; ticks ${one.w[0]}–${one.w[1]}.`,
    `Against: ${one.null}.`,
    one.exp && "Experimental: its bars, of false findings and of power, are not proven.",
  ].filter(Boolean).join(" ");
}

/** How far the rate is proven: what it was on worlds in which there is nothing to find. */
function standing(one: Detector): string {
  const unproven = one.exp ? "experimental: its bars are not proven; " : "";
  return `${unproven}measured: ${one.rate}`;
}

export class EmergenceTab implements Tab {
  readonly element: HTMLElement;
  readonly #line = el("div.timeline", { role: "img" });
  readonly #detectors: LiveTable<Detector>;
  readonly #findings: LiveTable<Shown>;

  constructor(private readonly app: App) {
    this.#detectors = new LiveTable<Detector>(
      [
        { head: "watched for", cell: (one) => one.type },
        { head: "found", look: "num", cell: (one) => ({ text: String(one.n), look: one.n > 0 ? "warn" : "" }) },
        { head: "explained", look: "num", cell: (one) => String(one.expl) },
        { head: "luck makes", look: "num", title: "false findings in so many ticks, at most", cell: (one) => one.budget.toFixed(3) },
        { head: "ticks", look: "num", cell: (one) => plain(one.ticks) },
        { head: "symbols", look: "num", cell: (one) => String(one.syms) },
        { head: "", spoken: "in words", look: "text", cell: (one) => one.idle || standing(one) },
      ],
      "nobody watches this run",
    );
    this.#findings = new LiveTable<Shown>(
      [
        { head: "time", look: "mono dim", title: "of the market", cell: (one) => clock(one.t) },
        { head: "what", cell: (one) => ({ text: one.exp ? `${one.type}?` : one.type, look: one.why ? "dim" : "warn" }) },
        { head: "who", look: "who", cell: (one) => (one.n > one.agents.length ? `${one.agents.join(", ")} and ${one.n - one.agents.length} more` : one.agents.join(", ") || "the swarm") },
        { head: "where", look: "mono", cell: (one) => one.sym },
        { head: "claim", look: "text", cell: (one) => claim(one) },
        { head: "", spoken: "what can be done", cell: (one) => this.#state(one) },
      ],
      "nothing that nobody coded has been found",
      (one) => {
        const [first] = one.agents;
        if (first !== undefined) this.app.view.set({ agent: first });
      },
    );
    this.element = el("div.findings", {}, this.#line, this.#detectors.element, this.#findings.element);
  }

  paint(state: State): void {
    this.#detectors.paint(Object.entries(state.watch).map(([type, one]) => [type, { ...one, type }] as const));
    const shown = state.em.map((one) => ({ ...one, seen: state.alerts[String(one.alert)]?.ack ?? null }));
    this.#findings.paint(shown.reverse().map((one) => [one.id, one] as const));
    this.#draw(state);
  }

  #state(one: Shown): HTMLElement | string {
    if (one.why) return "explained";
    if (one.seen !== null) return `seen by ${one.seen}`;
    if (one.alert === null || !may(this.app, "operator")) return "open";
    return command(this.app, "ack_alert", { id: one.alert }, "acknowledge");
  }

  /** Findings as bars over the ticks they rest on, from the run's begin until now. */
  #draw(state: State): void {
    const { start } = state.top;
    const span = Math.max(1, state.ts - start);
    const { bar } = state.top;
    const place = (t: number): number => Math.min(100, Math.max(0, (100 * (t - start)) / span));
    const marks = state.em.map((one) => {
      const from = place(one.t - (one.w[1] - one.w[0]) * bar);
      const mark = el("i", { title: `${one.id} ${one.type}: ${one.agents.join(", ")}` });
      setClass(mark, one.why ? "explained" : "");
      mark.style.left = `${from}%`;
      mark.style.width = `${Math.max(0.3, place(one.t) - from)}%`;
      return mark;
    });
    this.#line.setAttribute("aria-label", `${marks.length} findings since the run began`);
    fill(this.#line, ...marks);
  }
}
