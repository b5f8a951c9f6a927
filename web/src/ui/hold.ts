/**
 * A button that acts when it has been held for 0.6 s, by pointer or by key: one deliberate gesture, which
 * neither a slip nor a stray Enter makes.
 */

import { el, say } from "./dom";

const HOLD = 600;

export class HoldButton {
  readonly element: HTMLButtonElement;
  readonly #label: HTMLElement;
  #timer = 0;

  constructor(
    private readonly text: string,
    title: string,
    look: string,
    private readonly act: () => Promise<void>,
  ) {
    this.#label = el("span", {}, text);
    this.element = el("button", { type: "button", title, "aria-description": title }, this.#label);
    this.element.className = look;
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.element.setPointerCapture(event.pointerId);
      this.press();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
      this.element.addEventListener(name, () => this.release());
    }
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    this.element.addEventListener("keydown", (key) => {
      if (key.key !== "Enter" && key.key !== " ") return;
      key.preventDefault();
      if (!key.repeat) this.press();
    });
    this.element.addEventListener("keyup", (key) => {
      if (key.key === "Enter" || key.key === " ") this.release();
    });
  }

  press(): void {
    if (this.#timer !== 0 || this.element.disabled) return;
    this.element.classList.add("held");
    say(this.#label, "hold …");
    this.#timer = window.setTimeout(() => {
      this.release();
      say(this.#label, "sent …");
      void this.act().finally(() => say(this.#label, this.text));
    }, HOLD);
  }

  release(): void {
    window.clearTimeout(this.#timer);
    this.#timer = 0;
    this.element.classList.remove("held");
    if (this.#label.textContent === "hold …") say(this.#label, this.text);
  }
}
