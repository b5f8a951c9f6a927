/**
 * Elements. Text comes from agents, venues and headlines and is never trusted: it enters the page as
 * text, through `textContent`, and no other way exists here; nor does it steer the text beside it.
 */

/** Marks that turn the direction of what follows, beyond the text they stand in; they have no shape. */
const STEERING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The text with what would turn the rest of its line round made visible, as the terminal does it. */
export function harmless(text: string): string {
  return text.replace(STEERING, "\ufffd");
}

function shown(child: Node | string): Node | string {
  return typeof child === "string" ? harmless(child) : child;
}

type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;
export type Child = Node | string | null | undefined | false;

/** `el("button.stop", { type: "button" }, "STOP")`. */
export function el<K extends keyof HTMLElementTagNameMap>(
  what: K | `${K}.${string}`,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const [tag, ...classes] = what.split(".") as [K, ...string[]];
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : harmless(String(value)));
  }
  fill(element, ...children);
  return element;
}

/** Writes a text only where it differs: an unchanged page costs no layout. */
export function say(where: Node & { textContent: string | null }, text: string): void {
  if (where.textContent === text) return;
  const safe = harmless(text);
  if (where.textContent !== safe) where.textContent = safe;
}

export function setClass(where: Element, name: string): void {
  if (where.className !== name) where.className = name;
}

export function fill(where: Element, ...children: Child[]): void {
  where.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)).map(shown));
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** Whether what is typed goes into a field, so that single keys are no shortcuts. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}
