/** The command line: `pause_agent kind:walker`, `adjust_risk name=gross value=0.5`, with completion. */

import type { Spec } from "../api";

export type Parsed =
  | { readonly ok: true; readonly name: string; readonly args: Record<string, unknown> }
  | { readonly ok: false; readonly problem: string };

const WORD = /\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)/y;

export function words(line: string): string[] {
  const found: string[] = [];
  WORD.lastIndex = 0;
  for (let match = WORD.exec(line); match; match = WORD.exec(line)) found.push(match[1] ?? "");
  return found;
}

/** Whether a quote is left open, so that `words` ends before the line does. */
function isOpen(line: string): boolean {
  return line.replace(/"[^"]*"|'[^']*'/g, "").match(/["']/) !== null;
}

function bare(word: string): string {
  return word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2");
}

export function findSpec(name: string, specs: readonly Spec[]): Spec | undefined {
  return specs.find((spec) => spec.name === name || spec.aliases?.includes(name));
}

type Parameter = Spec["params"][number];

/**
 * Arguments by name (`value=0.5`, `--value 0.5`) or in the order of the parameters; a last one that is text
 * takes the rest of the line. The same lines mean the same in the console.
 */
export function parseLine(
  line: string,
  specs: readonly Spec[],
  others: Readonly<Record<string, string>> = {},
): Parsed {
  if (isOpen(line)) return { ok: false, problem: "a quote is not closed" };
  const typed = words(line);
  const comment = typed.findIndex((word) => word.startsWith("#"));
  const [name, ...rest] = comment < 0 ? typed : typed.slice(0, comment);
  if (!name) return { ok: false, problem: "no command" };
  const spec = findSpec(name, specs);
  const needed = Object.hasOwn(others, name) ? others[name] : undefined;
  if (needed) return { ok: false, problem: `${name} needs the role ${needed}: use the token of ${needed}` };
  if (!spec) return { ok: false, problem: `no command ${name}; \`help\` lists them` };
  const last = spec.params.at(-1);
  const given = new Map<Parameter, string>();
  let plain = false; // After `--` nothing is a name any more.
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--" && !plain) {
      plain = true;
      continue;
    }
    const named = /^(--)?([a-zA-Z_-]+)(?:=(.*))?$/s.exec(word);
    const key = named && !plain && (named[1] || named[3] !== undefined) ? named[2]?.replaceAll("-", "_") : undefined;
    const byName = spec.params.find((one) => one.name === key);
    const free = spec.params.find((one) => !given.has(one));
    if (byName) {
      if (given.has(byName)) return { ok: false, problem: `${byName.name} is given twice` };
      given.set(byName, named?.[3] ?? rest.shift() ?? "");
    } else if (free && (key === undefined || isWeights(free))) {
      given.set(free, word);
    } else if (last && !free && isSentence(last)) {
      given.set(last, `${given.get(last) ?? ""} ${word}`);
    } else {
      return { ok: false, problem: `${name} takes ${usage(spec) || "no arguments"}, not ${word}` };
    }
  }
  const missing = spec.params.filter((one) => one.required && !given.has(one));
  if (missing.length > 0) {
    return { ok: false, problem: `${name} needs ${missing.map((one) => one.name).join(", ")}` };
  }
  const args = Object.fromEntries([...given].map(([one, text]) => [one.name, value(text, one.type)]));
  return { ok: true, name: spec.name, args };
}

function isSentence(one: Parameter): boolean {
  return one.type === "text" && !one.choices?.length;
}

function isWeights(one: { readonly type: string }): boolean {
  return /object|dict|mapping|weights|json/.test(one.type);
}

export function usage(spec: Spec): string {
  return spec.params.map((one) => (one.required ? one.name : `[${one.name}]`)).join(" ");
}

/** Text becomes what the parameter wants; where it does not fit, the server says so. */
function value(word: string, type: string): unknown {
  const text = bare(word);
  if (/int|float|number/.test(type) && text.trim() !== "" && Number.isFinite(Number(text))) {
    return Number(text);
  }
  if (/bool/.test(type)) {
    if (/^(true|yes|1)$/.test(text)) return true;
    if (/^(false|no|0)$/.test(text)) return false;
  }
  return isWeights({ type }) ? weights(word, text) : text;
}

/** JSON, or `A=0.5,B=0.2`; what is neither stays text, and the server's refusal says what it wants. */
function weights(word: string, text: string): unknown {
  try {
    // Quotes around the whole are the line's, those inside are JSON's.
    return JSON.parse(word.replace(/^'(.*)'$/s, "$1")) as unknown;
  } catch {
    const pairs = text.split(",").map((part) => /^\s*([^=]+?)\s*=\s*(\S+)\s*$/.exec(part));
    if (pairs.some((pair) => !pair || !Number.isFinite(Number(pair[2])))) return text;
    return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", Number(pair?.[2])]));
  }
}

export interface Candidate {
  readonly text: string;
  readonly doc: string;
  /** The whole line if this one is taken. */
  readonly line: string;
}

export interface Vocabulary {
  readonly agents: readonly string[];
  readonly kinds: readonly string[];
  readonly statuses: readonly string[];
  readonly symbols: readonly string[];
  readonly limits: readonly string[];
}

const MOST = 12;

export function complete(
  line: string,
  specs: readonly Spec[],
  vocabulary: Vocabulary,
): Candidate[] {
  const found = words(line);
  const begun = line.endsWith(" ") || line === "" ? "" : (found.pop() ?? "");
  const before = line.slice(0, line.length - begun.length);
  if (found.length === 0) {
    return near(begun, specs.map((spec) => ({ text: spec.name, doc: spec.summary })), before, " ");
  }
  const spec = findSpec(found[0] ?? "", specs);
  if (!spec) return [];
  const named = /^([a-z_]+)=(.*)$/s.exec(begun);
  const given = new Set(found.slice(1).map((word) => /^([a-z_]+)=/.exec(word)?.[1] ?? ""));
  const positional = found.slice(1).filter((word) => !/^[a-z_]+=/.test(word)).length;
  const open = spec.params.filter((one, at) => at >= positional && !given.has(one.name));
  if (named) {
    const parameter = spec.params.find((one) => one.name === named[1]);
    const values = (parameter ? choices(parameter, vocabulary) : []).map((text) => ({
      text,
      doc: parameter?.doc ?? "",
    }));
    return near(named[2] ?? "", values, `${before}${named[1]}=`, " ");
  }
  const [next] = open;
  return [
    ...near(
      begun,
      (next ? choices(next, vocabulary) : []).map((text) => ({ text, doc: next?.doc ?? "" })),
      before,
      " ",
    ),
    ...near(begun, open.map((one) => ({ text: `${one.name}=`, doc: one.doc })), before, ""),
  ].slice(0, MOST);
}

function choices(parameter: Spec["params"][number], vocabulary: Vocabulary): readonly string[] {
  if (parameter.choices && parameter.choices.length > 0) return parameter.choices;
  switch (parameter.name) {
    case "agent":
      return vocabulary.agents;
    case "target":
      return [
        ...vocabulary.kinds.map((kind) => `kind:${kind}`),
        ...vocabulary.statuses.map((status) => `status:${status}`),
        ...vocabulary.symbols,
        ...vocabulary.agents,
      ];
    case "name":
      return vocabulary.limits;
    default:
      return [];
  }
}

function near(
  begun: string,
  from: readonly { text: string; doc: string }[],
  before: string,
  after: string,
): Candidate[] {
  const wanted = begun.toLowerCase();
  const starts = from.filter((one) => one.text.toLowerCase().startsWith(wanted));
  const holds = from.filter(
    (one) => !starts.includes(one) && wanted !== "" && one.text.toLowerCase().includes(wanted),
  );
  return [...starts, ...holds]
    .filter((one) => one.text !== begun)
    .slice(0, MOST)
    .map((one) => ({ ...one, line: before + one.text + after }));
}
