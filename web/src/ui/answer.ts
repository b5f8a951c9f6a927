/** What a command answered that reads: whole, in a dialog of its own. */

import type { App } from "../app";
import type { Ran } from "../runner";
import { show } from "./dialog";
import { el } from "./dom";
import { tree } from "./tree";
import { whyView, type Explained } from "./why";

export function showAnswer(app: App, ran: Ran): void {
  const result = ran.outcome.result ?? {};
  const close = el("button", { type: "button" }, "Close");
  const open = (agent: string): void => {
    dialog.close();
    app.view.set({ agent });
  };
  const inside = ran.outcome.name === "why"
    ? [whyView(result as unknown as Explained, open), el("details", {}, el("summary", {}, "everything"), tree(result))]
    : [tree(result)];
  const dialog = el("dialog", { "aria-labelledby": "answer-title" },
    el("div.head", {}, el("h2.mono", { id: "answer-title" }, ran.line), close),
    el("div.answer", { tabindex: 0, role: "region", "aria-labelledby": "answer-title" }, ...inside));
  dialog.id = "answer";
  close.classList.add("push");
  close.addEventListener("click", () => dialog.close());
  document.querySelector<HTMLDialogElement>("#answer")?.close();
  show(dialog);
}
