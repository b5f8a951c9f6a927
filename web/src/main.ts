/** The dashboard: one connection, one state, parts that paint what changed. */

import { Api } from "./api";
import type { App, Part } from "./app";
import { Link } from "./link";
import { textAt } from "./model/agents";
import type { State } from "./model/state";
import { Runner } from "./runner";
import { Banner } from "./ui/banner";
import { readPalette } from "./ui/canvas";
import { EquityChart, PriceChart } from "./ui/charts";
import { CommandBar } from "./ui/commandbar";
import { byId, isTyping, say } from "./ui/dom";
import { Drawer } from "./ui/drawer";
import { AgentGrid } from "./ui/grid";
import { Mood } from "./ui/mood";
import { Side } from "./ui/side";
import { nextTheme, showHelp, theme, TopBar } from "./ui/topbar";
import { setToken, takeToken, token, ViewStore } from "./view";

const ANNOUNCE_EVERY = 1000;

function start(): void {
  takeToken();
  const base = new URL("api/v1/", location.href.split(/[?#]/)[0]);
  const wire = new URL("live", base);
  wire.protocol = wire.protocol.replace("http", "ws");
  const view = new ViewStore();
  const api = new Api(base.href, token);
  const runner = new Runner(api);
  let frozen: State | null = null;
  let dirty = true;
  const link = new Link(wire.href, token, 10, { frame: () => (dirty = true) });
  const app: App = {
    link, api, view, runner, specs: [], others: {},
    shown: () => {
      const state = frozen ?? link.client.state;
      // Before its first tick a swarm has nothing to say of itself.
      return state?.top.mode ? state : null;
    },
    isPaused: () => frozen !== null,
    togglePause: () => {
      frozen = frozen ? null : structuredClone(app.shown());
      dirty = true;
    },
    marketNow: () => {
      const state = app.shown();
      if (!state) return 0;
      // While frames come, their own time is the market's; in silence it goes on by our clock.
      const stands = link.state();
      const quiet = stands === "held" ? 1000 * state.top.held : performance.now() - link.heardAt;
      const silent = frozen || stands === "live" ? 0 : quiet;
      return state.ts + silent * (state.top.real ? 1 : (state.top.speed ?? 1));
    },
    announce: announcer(),
  };
  document.documentElement.dataset.theme = theme(app);
  readPalette();

  const top = new TopBar(app, byId("top"));
  const price = new PriceChart(app, byId("price"));
  const equity = new EquityChart(app, byId("equity"));
  const mood = new Mood(app, byId("mood"));
  const grid = new AgentGrid(app, byId("agents"));
  const side = new Side(app, byId("side"));
  const drawer = new Drawer(app, byId("drawer"));
  const commands = new CommandBar(app, byId("bottom"));
  const banner = new Banner(app, byId("banner"), (typed) => {
    setToken(typed);
    connect();
  });
  const parts: readonly Part[] = [top, price, equity, mood, grid, side, drawer];
  const painted = new Map<Part, number>();

  view.listen((_, changed) => {
    if (changed.has("theme")) {
      document.documentElement.dataset.theme = theme(app);
      readPalette();
      for (const one of [price, equity, mood]) one.dress();
    }
    dirty = true;
    painted.clear();
  });

  /** Paints each part that is due; one part a frame beyond the grid, so that no frame is long. */
  function frame(now: number): void {
    requestAnimationFrame(frame);
    const state = app.shown();
    if (!state || !dirty) return;
    let waiting = false;
    let budget = 4;
    for (const part of parts) {
      if (now - (painted.get(part) ?? -Infinity) < part.every) {
        waiting = true;
        continue;
      }
      if (budget <= 0) {
        waiting = true;
        continue;
      }
      const begun = performance.now();
      part.paint(state, now);
      budget -= performance.now() - begun;
      painted.set(part, now);
    }
    dirty = waiting;
  }

  function second(): void {
    const now = performance.now();
    link.heartbeat(now);
    const { state } = link.client;
    if (state?.top.mode && link.state(now) === "live") grid.history.sample(state, link.client.epoch);
    top.paintLink(now);
    banner.paint(now);
    const stands = link.state(now);
    document.body.classList.toggle("old", stands === "stale" || stands === "held" || stands === "lost" || stands === "ended");
    dirty = true; // Ages go on although nothing is heard.
  }

  function connect(): void {
    link.open();
    void readCommands();
    second();
  }

  async function readCommands(): Promise<void> {
    if (!token()) return;
    try {
      const { commands: specs, others } = await api.catalogue();
      Object.assign(app, { specs, others });
    } catch (error) {
      commands.tell(error instanceof Error ? error.message : String(error), "bad");
    }
  }

  let greeted = "";
  setInterval(() => {
    second();
    const now = link.client.hello?.run ?? "";
    if (now && (now !== greeted || app.specs.length === 0)) void readCommands();
    greeted = now;
  }, 1000);
  document.addEventListener("keydown", (key) => shortcut(key));
  document.addEventListener("keyup", (key) => {
    if (key.key === "F10") top.stop.release();
  });
  window.addEventListener("blur", () => top.stop.release());

  function shortcut(key: KeyboardEvent): void {
    if (key.key === "F10") {
      key.preventDefault();
      if (key.repeat) return;
      if (top.stop.element.disabled) commands.tell(top.stop.element.title, "bad");
      else top.stop.press();
      return;
    }
    if ((key.ctrlKey || key.metaKey) && key.key === "k") {
      key.preventDefault();
      commands.focus();
      return;
    }
    if (key.ctrlKey || key.metaKey || key.altKey || document.querySelector("dialog[open]")) return;
    if (key.key === "Escape") {
      if (isTyping(key.target)) {
        key.preventDefault(); // A search field would be emptied.
        (key.target as HTMLElement).blur();
      }
      else if (view.now.agent) view.set({ agent: "" });
      else if (view.now.wide) view.set({ wide: false });
      else if (view.now.filter) view.set({ filter: "" });
      return;
    }
    if (isTyping(key.target)) return;
    const act = shortcuts[key.key] ?? (/^\d$/.test(key.key) ? () => side.chooseByKey(key.key) : null);
    if (!act) return;
    if (key.key === " " && key.target instanceof HTMLButtonElement) return;
    key.preventDefault();
    act();
  }

  const shortcuts: Record<string, () => void> = {
    "/": () => grid.filter.focus(),
    ":": () => commands.focus(),
    "?": showHelp,
    " ": () => app.togglePause(),
    g: () => grid.focus(),
    t: () => nextTheme(app),
    w: () => view.set({ wide: !view.now.wide }),
    y: () => void copy(),
  };

  async function copy(): Promise<void> {
    const state = app.shown();
    if (!state || grid.current < 0) return;
    const row = Object.fromEntries(
      Object.entries(state.agents.c).map(([name, column]) => [name, column[grid.current] ?? null]));
    try {
      await navigator.clipboard.writeText(JSON.stringify(row));
      commands.tell(`copied ${textAt(state, grid.current, "id")}`, "ok");
    } catch {
      commands.tell("the browser does not let this page write to the clipboard", "warn");
    }
  }

  connect();
  requestAnimationFrame(frame);
  // For tests: the state the page holds, to be compared with the server's.
  Object.assign(window, { mirrorcore: { link } });
}

/** At most one announcement a second for those who hear the page. */
function announcer(): (text: string) => void {
  const place = byId("announce");
  let last = -Infinity;
  let timer = 0;
  return (text) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      last = performance.now();
      say(place, text);
    }, Math.max(0, last + ANNOUNCE_EVERY - performance.now()));
  };
}

start();
