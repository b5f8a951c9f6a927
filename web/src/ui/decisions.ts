/** The newest decision of every symbol, and what moved it: votes, gate, limits, orders. */

import type { App } from "../app";
import type { State } from "../model/state";
import type { Decision } from "../model/wire";
import { el, fill, say } from "./dom";
import { clock, fixed, percent, plain } from "./format";
import type { Tab } from "./side";
import { LiveTable } from "./table";
import { voteTable, type VoteRow } from "./votes";

type Row = Decision & { sym: string };

export class DecisionsTab implements Tab {
  readonly element: HTMLElement;
  readonly #table: LiveTable<Row>;
  readonly #head = el("h3");
  readonly #why = el("div");
  /** Kept from decision to decision, so that who aims at it hits it. */
  readonly #ask = el("button", { type: "button" }, "in full");
  #asked = "";
  #painted: Decision | null = null;

  constructor(private readonly app: App) {
    const choose = (sym: string): HTMLElement => {
      const button = el("button", { type: "button", title: `what moved ${sym}` }, sym);
      button.addEventListener("click", () => app.view.set({ symbol: sym }));
      return button;
    };
    this.#table = new LiveTable<Row>(
      [
        { head: "symbol", cell: (one) => choose(one.sym) },
        { head: "at", look: "mono dim lesser", cell: (one) => clock(one.t) },
        { head: "P(rise)", look: "num", cell: (one) => fixed(one.forecast, 3) },
        { head: "target", look: "num", title: "after sizing, before the gate", cell: (one) => percent(one.target, 2) },
        { head: "× gate", look: "num", cell: (one) => fixed(one.gate, 2) },
        { head: "= wanted", look: "num", cell: (one) => percent(one.wanted, 2) },
        { head: "held", look: "num", cell: (one) => percent(one.held, 2) },
        { head: "bound by", look: "text", cell: (one) => ({ text: bounds(one), look: "warn" }) },
      ],
      "nothing has been decided yet",
    );
    this.#ask.addEventListener("click", () => void app.runner.run("why", { id: this.#asked }));
    this.element = el("div", {}, this.#table.element, el("div.head", {}, this.#head, this.#ask), this.#why);
  }

  paint(state: State): void {
    const rows = state.top.symbols.flatMap((sym) => {
      const row = state.dec[sym];
      return row ? [[sym, { ...row, sym }] as const] : [];
    });
    this.#table.paint(rows);
    const wanted = this.app.view.now.symbol;
    const symbol = state.dec[wanted] ? wanted : (rows[0]?.[0] ?? "");
    const decision = state.dec[symbol] ?? null;
    if (decision === this.#painted) return;
    this.#painted = decision;
    say(this.#head, decision ? `Why ${symbol}: ${decision.id}` : "");
    this.#ask.hidden = !decision;
    // A decision is of a whole tick: which symbol is asked about has to be said.
    this.#asked = decision ? `${decision.id} ${symbol}` : "";
    this.#ask.title = `why ${this.#asked}: found by running the stretch again`;
    fill(this.#why, decision && this.#reasons(decision));
  }

  #reasons(one: Decision): HTMLElement {
    const votes = one.votes.map((vote): VoteRow => ({
      agent: vote.a, p: vote.p, weight: vote.w, pull: vote.pull, market: vote.market,
    }));
    return el("div", {},
      el("p", {},
        `${one.voters} may vote; edge ${plain(one.edge)}, market ${plain(one.market_edge)}, `,
        `conviction ${plain(one.conviction)}, consensus ${plain(one.consensus)}, gateway ${one.gw}. `,
        one.orders.length > 0 && `It led to ${one.orders.join(", ")}.`),
      one.clips.length > 0 && el("ul", {}, ...one.clips.map((clip) =>
        el("li.warn", {}, `limit ${clip.limit}${clip.sym ? ` on ${clip.sym}` : ""}: asked ${percent(clip.asked, 2)}, allowed ${percent(clip.allowed, 2)}`))),
      voteTable(votes, (agent) => this.app.view.set({ agent })),
    );
  }
}

function bounds(one: Decision): string {
  const found = [...one.blocked, ...one.clips.map((clip) => clip.limit)];
  if (one.silent) found.push("silent gate");
  return [...new Set(found)].join(", ");
}
