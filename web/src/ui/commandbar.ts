/** The command line with completion, how the last command went, and what ran before. */

import type { App } from "../app";
import { complete, parseLine, usage, type Candidate, type Vocabulary } from "../model/commandline";
import { summary, went, type Ran } from "../runner";
import { showAnswer } from "./answer";
import { el, fill, harmless, say, setClass } from "./dom";
import { clock } from "./format";

export class CommandBar {
  readonly input: HTMLInputElement;
  readonly #popup = el("ul.popup", { role: "listbox", hidden: true, "aria-label": "Completions" });
  readonly #log = el("div.popup", { role: "log", hidden: true, "aria-label": "What ran" });
  readonly #result = el("span.result", { role: "status" });
  #candidates: Candidate[] = [];
  #chosen = -1;
  #typed: string[] = [];
  #at = 0;

  constructor(
    private readonly app: App,
    bar: HTMLElement,
  ) {
    this.input = el("input", {
      type: "text", placeholder: "command   ( : )   e.g. pause_agent MomentumScout", spellcheck: "false",
      autocomplete: "off", "aria-label": "Command", role: "combobox", "aria-expanded": "false",
      "aria-autocomplete": "list", "aria-controls": "completions",
    });
    this.input.id = "command";
    this.#popup.id = "completions";
    const run = el("button", { type: "submit" }, "Run");
    const form = el("form", {}, this.input, run);
    const log = el("button", { type: "button", "aria-expanded": "false" }, "what ran");
    log.addEventListener("click", () => {
      this.#log.hidden = !this.#log.hidden;
      log.setAttribute("aria-expanded", String(!this.#log.hidden));
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#run();
    });
    this.input.addEventListener("input", () => {
      // The key that leads here, struck once more by those who are here already.
      if (this.input.value.startsWith(":")) this.input.value = this.input.value.replace(/^:+/, "");
      this.#suggest();
    });
    this.input.addEventListener("focus", () => this.#suggest());
    this.input.addEventListener("blur", () => this.#close());
    this.input.addEventListener("keydown", (key) => this.#key(key));
    bar.append(form, this.#result, log, this.#popup, this.#log);
    app.runner.listen((ran) => this.#ran(ran));
    this.#log.append(el("p.nothing", {}, "nothing yet: each click and each line shows here as a command"));
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  tell(text: string, look: "ok" | "warn" | "bad"): void {
    say(this.#result, text);
    setClass(this.#result, `result ${look}`);
    this.#result.title = harmless(text);
  }

  async #run(): Promise<void> {
    const line = this.input.value.trim();
    if (!line) return;
    this.#close();
    const parsed = parseLine(line, this.app.specs, this.app.others);
    if (!parsed.ok) {
      this.tell(parsed.problem, "bad");
      return;
    }
    this.#typed.push(line);
    this.#at = this.#typed.length;
    this.input.value = "";
    this.tell(`${line} …`, "ok");
    await this.app.runner.run(parsed.name, parsed.args);
  }

  #ran(ran: Ran): void {
    const look = went(ran.outcome);
    const said = summary(ran.outcome);
    this.tell(`${ran.line} → ${said} (${Math.round(ran.milliseconds)} ms)`, look);
    this.app.announce(`${ran.outcome.name}: ${said}`);
    if (this.#log.firstElementChild?.classList.contains("nothing")) fill(this.#log);
    const result = ran.outcome.result;
    this.#log.prepend(
      el("details", {},
        el("summary", {}, el("span.mono", {}, `${clock(ran.at)} ${ran.line} `), el(`span.${look}`, {}, said)),
        el("pre", {}, result ? JSON.stringify(result, null, 1) : "")),
    );
    while (this.#log.childElementCount > 100) this.#log.lastElementChild?.remove();
    // A refusal has an empty result, and is told by the line alone.
    if (result && Object.keys(result).length > 0 && !this.app.specs.find((spec) => spec.name === ran.outcome.name)?.changes) {
      showAnswer(this.app, ran);
    }
  }

  #suggest(): void {
    this.#candidates = complete(this.input.value, this.app.specs, this.#vocabulary());
    this.#chosen = -1;
    const [name] = this.input.value.trim().split(" ");
    const spec = this.app.specs.find((one) => one.name === name);
    fill(this.#popup,
      ...this.#candidates.map((one, at) => {
        const item = el("li", { role: "option", "aria-selected": "false" }, el("span.mono", {}, one.text), el("span.dim", {}, one.doc));
        item.id = `completion-${at}`;
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          this.#take(one);
        });
        return item;
      }),
      spec && el("li.dim", { role: "presentation" }, `${spec.name} ${usage(spec)}: ${spec.summary}`));
    this.#popup.hidden = document.activeElement !== this.input || this.#popup.childElementCount === 0;
    this.input.setAttribute("aria-expanded", String(!this.#popup.hidden));
  }

  #key(key: KeyboardEvent): void {
    const step = key.key === "ArrowDown" ? 1 : key.key === "ArrowUp" ? -1 : 0;
    if (key.key === "Tab" && !key.shiftKey && this.#candidates.length > 0) {
      key.preventDefault();
      const one = this.#candidates[Math.max(0, this.#chosen)];
      if (one) this.#take(one);
    } else if (key.key === "Escape") {
      if (this.#popup.hidden) this.input.blur();
      this.#close();
      key.stopPropagation();
    } else if (step !== 0 && this.input.value === "" && this.#typed.length > 0 && step < 0) {
      key.preventDefault();
      this.#recall(step);
    } else if (step !== 0 && this.#typed[this.#at] === this.input.value && this.input.value !== "") {
      key.preventDefault();
      this.#recall(step);
    } else if (step !== 0 && this.#candidates.length > 0) {
      key.preventDefault();
      this.#chosen = (this.#chosen + step + this.#candidates.length) % this.#candidates.length;
      this.#candidates.forEach((_, at) =>
        this.#popup.children[at]?.setAttribute("aria-selected", String(at === this.#chosen)));
      this.input.setAttribute("aria-activedescendant", `completion-${this.#chosen}`);
    } else if (key.key === "Enter" && this.#chosen >= 0) {
      key.preventDefault();
      const one = this.#candidates[this.#chosen];
      if (one) this.#take(one);
    }
  }

  #recall(step: number): void {
    this.#at = Math.min(this.#typed.length, Math.max(0, this.#at + step));
    this.input.value = this.#typed[this.#at] ?? "";
    this.#close();
  }

  #take(one: Candidate): void {
    this.input.value = one.line;
    this.#suggest();
  }

  #close(): void {
    this.#popup.hidden = true;
    this.#chosen = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #vocabulary(): Vocabulary {
    const state = this.app.link.client.state;
    return {
      agents: (state?.agents.c.id ?? []).map(String),
      kinds: state?.enums.kind ?? [],
      statuses: state?.enums.st ?? [],
      symbols: state?.top.symbols ?? [],
      limits: Object.keys(state?.risk ?? {}).sort(),
    };
  }
}
