/** Votes as a table: what each voter said, and a bar from the middle for what that moved. */

import { el } from "./dom";
import { fixed, signed } from "./format";

export interface VoteRow {
  readonly agent: string;
  readonly p: number | null;
  readonly weight: number | null;
  readonly pull: number | null;
  readonly market: number | null;
}

/** `open` is called with the agent whose name is clicked. */
export function voteTable(votes: readonly VoteRow[], open: (agent: string) => void): HTMLElement {
  if (votes.length === 0) return el("p.dim", {}, "no vote moved it");
  const most = Math.max(1e-12, ...votes.map((vote) => Math.abs(vote.pull ?? 0)));
  const rows = votes.map((vote) => {
    const agent = el("button", { type: "button", title: "open this agent" }, vote.agent);
    agent.addEventListener("click", () => open(vote.agent));
    return el("tr", {},
      el("td", {}, agent),
      el("td.num", {}, fixed(vote.p, 3)),
      el("td.num", {}, fixed(vote.weight, 4)),
      el("td.num", {}, signed(vote.pull, 5)),
      el("td", {}, bar((vote.pull ?? 0) / most)),
      el("td.num.lesser", {}, signed(vote.market, 5)),
    );
  });
  const head = (text: string, title: string, look: "" | "num" | "num.lesser" = "num"): HTMLElement =>
    el(look ? `th.${look}` : "th", { scope: "col", title }, text);
  return el("table.votes", {},
    el("thead", {}, el("tr", {},
      head("agent", "who voted", ""),
      head("P(rise)", "its probability of a rise"),
      head("weight", "what the fusion has learned to make of it; negative turns it round"),
      head("pull", "what it added to the edge of this symbol"),
      head("down ◂ ▸ up", "the same as a bar", ""),
      head("on market", "what it added to the edge of the whole market", "num.lesser"))),
    el("tbody", {}, ...rows));
}

/** A bar to the right for what pulls up, to the left for what pulls down; `share` from −1 to 1. */
function bar(share: number): HTMLElement {
  const value = el(share < 0 ? "div.value.down" : "div.value.up");
  value.style.transform = `scaleX(${share})`;
  return el("div.pull", { "aria-hidden": "true" }, value);
}
