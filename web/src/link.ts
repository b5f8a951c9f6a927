/** Keeps one connection to the swarm: greets, resumes, asks for a snapshot after a gap, comes back. */

import { Client } from "./model/client";
import type { Frame } from "./model/wire";

/**
 * What is known of the connection; `stale` is for more than two seconds of silence or a gap, `held`
 * for a server that answers while the swarm behind it does not.
 */
export type LinkState = "connecting" | "live" | "held" | "stale" | "lost" | "ended" | "refused";

const STALE_AFTER = 2000;
const RECONNECT_AFTER = 10_000;
const ASK_AGAIN = 2000;
const BACKOFF = [250, 500, 1000, 2000, 5000];
const REFUSALS: Record<number, string> = {
  4400: "the server does not understand this page; reload it",
  4401: "the token is not known to this swarm",
  4403: "the address of this page is not allowed by the server",
  4429: "too many clients are connected",
};

export interface LinkEvents {
  /** After each frame. */
  frame(): void;
}

export class Link {
  readonly client = new Client();
  refusal = "";
  /** When the next attempt is made, by the local clock; null while connected or connecting. */
  retryAt: number | null = null;
  /** Local instant of the last frame of any kind. */
  heardAt = 0;
  frames = 0;
  bytes = 0;
  #socket: WebSocket | null = null;
  #connected = false;
  #attempt = 0;
  #askedAt = -Infinity;
  #openedAt = 0;
  #timer = 0;

  constructor(
    private readonly address: string,
    private readonly token: () => string | null,
    private readonly rate: number,
    private readonly events: LinkEvents,
  ) {}

  open(): void {
    window.clearTimeout(this.#timer);
    this.retryAt = null;
    this.refusal = "";
    this.#socket?.close();
    const token = this.token();
    if (!token) {
      this.refusal = "a token is needed";
      return;
    }
    this.#openedAt = performance.now();
    const socket = new WebSocket(this.address);
    this.#socket = socket;
    socket.onopen = () => {
      this.client.connected();
      const resume = this.client.resume;
      const hello = { op: "hello", v: 2, token, rate: this.rate, ...(resume && { resume }) };
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (socket === this.#socket) this.#receive(message.data);
    };
    socket.onclose = (closed) => {
      if (socket === this.#socket) this.#closed(closed.code);
    };
  }

  /** How it stands now; what was heard long ago is never called live. */
  state(now = performance.now()): LinkState {
    if (this.refusal) return "refused";
    if (this.client.ended !== null) return "ended";
    if (!this.#connected) return this.client.state ? "lost" : "connecting";
    if (this.client.behind || now - this.heardAt > STALE_AFTER) return "stale";
    return (this.client.state?.top.held ?? 0) > 0 ? "held" : "live";
  }

  /** Called once a second: a silent connection is given up, an unanswered question asked again. */
  heartbeat(now = performance.now()): void {
    if (!this.#socket || this.retryAt !== null || this.refusal || this.client.ended !== null) return;
    if (now - Math.max(this.heardAt, this.#openedAt) > RECONNECT_AFTER) {
      const silent = this.#socket;
      this.#socket = null;
      silent.close();
      this.#retry();
    } else if (this.client.behind) {
      this.#ask(now);
    }
  }

  #receive(text: string): void {
    const frame = JSON.parse(text) as Frame;
    this.heardAt = performance.now();
    this.frames += 1;
    this.bytes += text.length;
    const verdict = this.client.receive(frame);
    if (verdict === "gap") this.#ask(this.heardAt);
    if (verdict === "greeted") {
      this.#connected = true;
      this.#attempt = 0;
      this.#askedAt = -Infinity;
    }
    this.events.frame();
  }

  #ask(now: number): void {
    if (now - this.#askedAt < ASK_AGAIN || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#askedAt = now;
    this.#socket.send('{"op":"resync"}');
  }

  #closed(code: number): void {
    this.#socket = null;
    this.#connected = false;
    const refusal = REFUSALS[code];
    if (refusal !== undefined && code !== 4429) this.refusal = refusal;
    else this.#retry();
    this.events.frame();
  }

  /** 0.25 to 5 s, with chance in it: a hundred pages must not come back in one instant. */
  #retry(): void {
    this.#connected = false;
    const longest = BACKOFF[Math.min(this.#attempt, BACKOFF.length - 1)] ?? 5000;
    const wait = Math.max(250, longest * (0.5 + Math.random() / 2));
    this.#attempt += 1;
    this.retryAt = performance.now() + wait;
    this.#timer = window.setTimeout(() => this.open(), wait);
  }
}
