/** Asks before a command that hits much: what it hits is listed, and the two answers lie far apart. */

import type { Outcome } from "../api";
import { show } from "./dialog";
import { el } from "./dom";

const LISTED = 200;

export function confirmCall(line: string, asked: Outcome): Promise<{ reason: string } | null> {
  const targets = asked.error?.targets ?? [];
  const reason = el("input", { type: "text", maxlength: 500, placeholder: "reason, for the audit" });
  const yes = el("button.danger", { type: "button" }, "Confirm");
  const no = el("button", { type: "button" }, "Cancel");
  const dialog = el(
    "dialog",
    { "aria-labelledby": "confirm-title" },
    el("h2", { id: "confirm-title" }, "Confirm"),
    el("p.mono", {}, line),
    el("p", {}, asked.error?.message ?? ""),
    targets.length > 0 && el("p.dim", {}, `${targets.length} concerned:`),
    targets.length > 0 && el("p.hits.mono", {}, targets.slice(0, LISTED).join(", ")),
    reason,
    el("div.choices", {}, no, yes),
  );
  return new Promise((resolve) => {
    let answer: { reason: string } | null = null;
    yes.addEventListener("click", () => {
      answer = { reason: reason.value };
      dialog.close();
    });
    no.addEventListener("click", () => dialog.close());
    show(dialog, () => resolve(answer));
    // Neither answer has the focus: Enter twice after a command must not confirm it.
    reason.focus();
  });
}
