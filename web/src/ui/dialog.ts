/** Dialogs: one at a time of each name, and afterwards the focus is where it was. */

/** Shows a dialog; it leaves the page when it is closed. */
export function show(dialog: HTMLDialogElement, closed: () => void = () => undefined): void {
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) {
      // The browser gives the focus back to a field but no caret; taken anew, it has both.
      before.blur();
      before.focus();
    }
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
}
