/** What is wrong with the connection, where it cannot be overlooked, with a countdown and a way on. */

import type { App } from "../app";
import { el, fill, say } from "./dom";
import { age, fixed } from "./format";

export class Banner {
  #shown = "";
  readonly #text = el("span", { role: "alert" });
  /** Counts each second: not for those who hear the page. */
  readonly #count = el("span", { "aria-hidden": "true" });
  readonly #again = el("button", { type: "button" }, "connect now");
  readonly #form: HTMLElement;

  constructor(
    private readonly app: App,
    private readonly place: HTMLElement,
    connect: (token: string) => void,
  ) {
    const field = el("input", { type: "password", size: 48, "aria-label": "Token", autocomplete: "off" });
    this.#form = el("form", {}, "token (`mirrorcore token show`): ", field, el("button", { type: "submit" }, "Connect"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) connect(field.value.trim());
    });
    this.#again.addEventListener("click", () => app.link.open());
  }

  paint(now: number): void {
    const { link } = this.app;
    const state = link.state(now);
    const shown = state === "refused" && (link.refusal.includes("token") || !link.client.hello) ? "token" : state;
    this.place.hidden = state === "live" || (state === "connecting" && link.retryAt === null);
    if (shown !== this.#shown) {
      this.#shown = shown;
      fill(this.place, this.#text, this.#count, shown === "token" && this.#form,
        (shown === "lost" || shown === "connecting" || shown === "ended") && this.#again);
    }
    say(this.#text, this.#said(state));
    const silent = state === "stale" || state === "lost" ? `nothing heard for ${age(now - link.heardAt)}` : "";
    const wait = link.retryAt === null ? "" : `next attempt in ${fixed(Math.max(0, link.retryAt - now) / 1000, 0)} s`;
    say(this.#count, [silent, wait].filter(Boolean).join("; "));
  }

  #said(state: string): string {
    const { link } = this.app;
    switch (state) {
      case "stale":
        return `▲ STALE, what you see is old${link.client.behind ? ": frames were missed, waiting for a whole picture" : ""}. `;
      case "held": {
        const top = link.client.state?.top;
        const why = top?.tick ? "an agent may be holding it up" : "it is warming up";
        return `▲ the swarm has not answered for ${top?.held ?? 0} s, ${why}: what you see is old. `;
      }
      case "lost":
        return "○ STALE, disconnected: what you see is old. ";
      case "connecting":
        return "◌ no answer from the swarm yet. ";
      case "ended":
        if (link.client.ended === "view failed") {
          return "■ the run goes on, but cannot be shown any more: its warnings say why. ";
        }
        return `■ the run is over (${link.client.ended ?? ""}); what you see is how it ended. `;
      case "refused":
        return `✕ not connected: ${link.refusal}. `;
      default:
        return "";
    }
  }
}
