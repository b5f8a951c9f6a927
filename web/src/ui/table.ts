/** Tables that are painted again and again: a row keeps its element, so that focus and selection stay. */

import { el, say, setClass } from "./dom";

export interface Cellular {
  readonly text: string;
  readonly look?: string;
}

export interface TableColumn<R> {
  readonly head: string;
  /** What the column is called to those who hear the page, where it needs no head to be seen. */
  readonly spoken?: string;
  readonly look?: string;
  readonly title?: string;
  cell(row: R): string | Cellular | Node;
}

interface Kept<R> {
  readonly element: HTMLTableRowElement;
  row: R;
}

/** Whether two rows hold the very same values, so that nothing of them has to be drawn anew. */
function alike(one: object, other: object): boolean {
  if (one === other) return true;
  const theirs = new Map(Object.entries(other));
  const mine = Object.entries(one);
  return mine.length === theirs.size && mine.every(([name, value]) => theirs.get(name) === value);
}

export class LiveTable<R extends object> {
  readonly element: HTMLElement;
  readonly #body = el("tbody");
  readonly #empty: HTMLElement;
  readonly #table: HTMLElement;
  readonly #kept = new Map<string, Kept<R>>();

  constructor(
    private readonly columns: readonly TableColumn<R>[],
    nothing: string,
    private readonly open?: (row: R) => void,
  ) {
    const heads = columns.map((column) => {
      const head = el("th", { scope: "col", title: column.title }, column.head || el("span.unseen", {}, column.spoken));
      head.className = (column.look ?? "").split(" ").filter((name) => name === "num" || name === "lesser").join(" ");
      return head;
    });
    this.#empty = el("p.nothing", {}, nothing);
    this.#table = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), this.#body);
    this.element = el("div", {}, this.#empty, this.#table);
  }

  /** Rows in their order; one that holds the values it held keeps its cells, and what is pressed in them. */
  paint(rows: readonly (readonly [key: string, row: R])[]): void {
    this.#empty.hidden = rows.length > 0;
    this.#table.hidden = rows.length === 0;
    const wanted = new Set(rows.map(([key]) => key));
    for (const [key, kept] of this.#kept) {
      if (wanted.has(key)) continue;
      kept.element.remove();
      this.#kept.delete(key);
    }
    let before: HTMLTableRowElement | null = null;
    for (const [key, row] of rows) {
      let kept = this.#kept.get(key);
      if (!kept) {
        kept = { element: this.#make(row), row };
        this.#kept.set(key, kept);
      } else if (!alike(kept.row, row)) {
        this.#change(kept.element, row);
        kept.row = row;
      }
      const next: Element | null = before ? before.nextElementSibling : this.#body.firstElementChild;
      if (next !== kept.element) this.#body.insertBefore(kept.element, next);
      before = kept.element;
    }
  }

  #make(row: R): HTMLTableRowElement {
    const element = el("tr", {}, ...this.columns.map(() => el("td")));
    this.#change(element, row);
    const { open } = this;
    if (open) element.addEventListener("dblclick", () => open(row));
    return element;
  }

  #change(element: HTMLTableRowElement, row: R): void {
    this.columns.forEach((column, at) => {
      const into = element.children[at];
      if (!into) return;
      const made = column.cell(row);
      const look = column.look ?? "";
      if (made instanceof Node) {
        into.replaceChildren(made);
        setClass(into, look);
      } else if (typeof made === "string") {
        say(into, made);
        setClass(into, look);
      } else {
        say(into, made.text);
        setClass(into, `${look} ${made.look ?? ""}`.trim());
      }
    });
  }
}
