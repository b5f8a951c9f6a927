/** The line that is always seen: mode, link, counts, money, role, and the stop. */

import { may, type App, type Part } from "../app";
import { GRADES, SHAPES } from "../model/agents";
import type { State } from "../model/state";
import { show } from "./dialog";
import { el, say, setClass } from "./dom";
import { money, percent, signed, stamp } from "./format";
import { HoldButton } from "./hold";

const LINKS: Record<string, readonly [look: string, text: string]> = {
  connecting: ["warn", "◌ connecting"],
  live: ["ok", "● live"],
  held: ["bad", "▲ held up"],
  stale: ["warn", "▲ stale"],
  lost: ["bad", "○ disconnected"],
  ended: ["warn", "■ ended"],
  refused: ["bad", "✕ refused"],
};

const HEALTH_FILTERS = ["health>=0.8", "health>=0.4 health<0.8", "health<0.4"];

export class TopBar implements Part {
  readonly every = 250;
  readonly stop: HoldButton;
  readonly #flatten: HoldButton;
  readonly #badge = el("span.badge", { title: "where orders go" }, "…");
  readonly #link = el("span.figure", { role: "status" });
  readonly #date = el("span.date");
  readonly #time = el("span");
  readonly #when = el("span.figure.dim", { title: "the clock of the market, UTC" }, this.#date, this.#time);
  readonly #health = GRADES.map((name, level) =>
    this.#chip(name, HEALTH_FILTERS[level] ?? "", `health ${name}`),
  );
  readonly #statuses = new Map<string, HTMLButtonElement>();
  readonly #chips = el("span.chips", { "aria-label": "Agents by health and status" });
  readonly #equity = el("b");
  readonly #day = el("span");
  readonly #drawdown = el("span");
  readonly #gatewaySign = el("span");
  readonly #gatewayWord = el("span", {}, "gateway ");
  readonly #gatewayState = el("span");
  readonly #gateway = el("span.figure", { title: "the gateway, through which every order passes" },
    this.#gatewaySign, this.#gatewayWord, this.#gatewayState);
  readonly #role = el("span");
  readonly #as = el("span.figure.dim", { title: "what this token may do" }, el("span.long", {}, "as "), this.#role);
  readonly #pauseText = el("span");
  readonly #pauseSign = el("span", { "aria-hidden": "true" });
  readonly #pause = el("button", { type: "button", title: "freeze the view; the swarm goes on (space)", "aria-label": "Pause view" }, this.#pauseSign, this.#pauseText);
  #pausedAt = 0;

  constructor(
    private readonly app: App,
    bar: HTMLElement,
  ) {
    const stop = (level: string) => async (): Promise<void> => {
      await app.runner.run("emergency_stop", { level });
    };
    this.stop = new HoldButton(
      "■ STOP",
      "hold 0.6 s (or hold F10): no order passes any more, working ones are cancelled",
      "hold",
      stop("cancel"),
    );
    this.stop.element.id = "stop";
    this.#flatten = new HoldButton(
      "+ flatten",
      "hold 0.6 s: stop, and close all positions",
      "hold lesser",
      stop("flatten"),
    );
    this.#flatten.element.id = "flatten";
    this.#pause.addEventListener("click", () => app.togglePause());
    this.#pause.id = "pause";
    this.#chips.append(...this.#health);
    const theme = el("button", { type: "button", title: "theme: dark, light, high contrast (t)", "aria-label": "Theme" }, "◐");
    theme.addEventListener("click", () => nextTheme(app));
    const help = el("button", { type: "button", title: "keys (?)", "aria-label": "Keys" }, "?");
    help.addEventListener("click", showHelp);
    bar.append(
      el("div.wrap", {},
        el("h1.name", {}, "MirrorCore-X"), this.#badge, this.#link, this.#when, this.#chips,
        el("span.figure", {}, "equity ", this.#equity), el("span.figure", {}, "day ", this.#day),
        el("span.figure", { title: "drawdown: below the highest equity so far" }, el("span.long", {}, "drawdown "),
          el("span.short", { "aria-hidden": "true" }, "▼ "), this.#drawdown), this.#gateway),
      this.#as, theme, help, this.#pause, this.#flatten.element, this.stop.element,
    );
  }

  paint(state: State, now: number): void {
    const { top, enums } = state;
    this.paintLink(now);
    const mode = top.mode.toUpperCase();
    say(this.#badge, mode);
    this.#badge.dataset.mode = document.body.dataset.mode = mode;
    const role = this.app.link.client.hello?.role ?? "";
    this.#badge.title = `market: ${top.source}${top.real ? "" : ", not a venue of now"}; this token is ${role}'s`;
    const [date = "", time = ""] = state.ts ? stamp(state.ts).split(" ") : ["", "before the first tick"];
    say(this.#date, date && `${date} `);
    say(this.#time, time);
    GRADES.forEach((name, level) => {
      const chip = this.#health[level];
      if (!chip) return;
      say(chip, `${SHAPES[level]} ${top.hp[level] ?? 0} ${name}`);
      chip.classList.toggle("none", !top.hp[level]);
    });
    enums.st.forEach((name, at) => {
      if (name !== "running") this.#paintStatus(name, top.st[at] ?? 0);
    });
    say(this.#equity, `${money(top.eq)} ${top.cur}`);
    say(this.#day, `${signed(100 * top.day, 2)} %`);
    setClass(this.#day, top.day < 0 ? "down" : "up");
    say(this.#drawdown, percent(top.dd, 2));
    const closed = top.gw !== "active";
    say(this.#gatewayState, `${top.gw}${top.gw_reason ? `: ${top.gw_reason}` : ""}`);
    say(this.#gatewaySign, closed ? "■ " : "● ");
    setClass(this.#gatewayWord, closed ? "" : "long");
    setClass(this.#gateway, `figure ${closed ? "bad" : "ok"}`);
    const paused = this.app.isPaused();
    if (!paused) this.#pausedAt = this.app.link.client.applied;
    const behind = this.app.link.client.applied - this.#pausedAt;
    say(this.#pauseSign, paused ? "▶ " : "❚❚");
    say(this.#pauseText, paused ? `Resume (${behind} behind)` : "Pause view");
    setClass(this.#pauseSign, paused ? "" : "short");
    setClass(this.#pauseText, paused ? "" : "long");
    this.#pause.setAttribute("aria-pressed", String(paused));
  }

  /** Also without a state: that nothing is heard must be seen too. */
  paintLink(now: number): void {
    const [look, text] = LINKS[this.app.link.state(now)] ?? ["bad", "?"];
    say(this.#link, text);
    setClass(this.#link, `figure ${look}`);
    const role = this.app.link.client.hello?.role;
    this.#as.hidden = !role;
    this.#as.dataset.role = role ?? "";
    say(this.#role, role ?? "");
    const stops = may(this.app, "operator") || !role;
    for (const button of [this.stop, this.#flatten]) {
      button.element.disabled = !stops;
      if (!stops) button.element.title = "this token may only look; a stop needs an operator's";
    }
  }

  #paintStatus(name: string, count: number): void {
    let chip = this.#statuses.get(name);
    if (!chip) {
      chip = this.#chip(name, `status:${name}`, `status ${name}`);
      this.#statuses.set(name, chip);
      this.#chips.append(chip);
    }
    chip.hidden = count === 0;
    say(chip, `${count} ${name}`);
  }

  #chip(name: string, filter: string, title: string): HTMLButtonElement {
    const look = (GRADES as readonly string[]).includes(name) ? name : "warn";
    const chip = el("button", { type: "button", title: `${title}: show these` });
    chip.classList.add(look);
    chip.addEventListener("click", () => {
      const had = this.app.view.now.filter;
      this.app.view.set({ filter: had === filter ? "" : filter });
    });
    return chip;
  }
}

const THEMES = ["dark", "light", "contrast"];

export function theme(app: App): string {
  const wanted = app.view.now.theme;
  if (THEMES.includes(wanted)) return wanted;
  if (matchMedia("(prefers-contrast: more)").matches) return "contrast";
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

export function nextTheme(app: App): void {
  const at = THEMES.indexOf(theme(app));
  app.view.set({ theme: THEMES[(at + 1) % THEMES.length] ?? "dark" });
}

const KEYS: readonly (readonly [string, string])[] = [
  ["hold F10", "stop: no order passes, working ones are cancelled"],
  [": or Ctrl-K", "command line; Tab completes, ↑ ↓ go through what was typed"],
  ["/", "filter the agents"],
  ["g", "into the grid; ↑ ↓ PgUp PgDn move, Enter opens an agent"],
  ["y", "copy the selected agent as JSON"],
  ["1 … 9, 0", "tab of the side panel; w makes it wide"],
  ["space", "freeze and unfreeze the view"],
  ["t", "theme"],
  ["Esc", "close, leave a field"],
];

export function showHelp(): void {
  const close = el("button", { type: "button" }, "Close");
  const dialog = el(
    "dialog",
    { "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("table", {}, el("tbody", {}, ...KEYS.map(([key, what]) =>
      el("tr", {}, el("td", {}, el("kbd", {}, key)), el("td", {}, what)),
    ))),
    el("p.dim", {}, "Filter: kind:fear status:paused,isolated health:bad health<80% pnl>0 age>60 !word \"two words\""),
    close,
  );
  close.addEventListener("click", () => dialog.close());
  show(dialog);
}
