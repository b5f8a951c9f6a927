/** Commands go by POST on connections of their own, never behind the frames of the live wire. */

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly doc: string;
  readonly required: boolean;
  readonly default?: unknown;
  readonly choices?: readonly string[] | null;
}

export interface Spec {
  readonly name: string;
  readonly summary: string;
  readonly params: readonly Parameter[];
  readonly role: string;
  readonly changes: boolean;
  readonly aliases?: readonly string[];
}

/** What this token may give, and by every name of the other commands the role that each needs. */
export interface Catalogue {
  readonly role: string;
  readonly commands: readonly Spec[];
  readonly others: Readonly<Record<string, string>>;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly confirm?: string;
  readonly targets?: readonly string[];
  readonly retry_after?: number;
}

export interface Outcome {
  readonly id?: string;
  readonly name: string;
  readonly status: string;
  readonly target_count?: number;
  readonly acked?: readonly string[];
  readonly missing?: readonly { readonly agent: string; readonly why: string }[];
  readonly result?: Record<string, unknown> | null;
  readonly error?: Failure | null;
}

export interface Call {
  readonly name: string;
  readonly args: Record<string, unknown>;
  readonly confirm?: string;
  readonly reason?: string;
}

const ANSWER_WITHIN = 15_000;
/** `why` runs a part of the run again. */
const WHY_WITHIN = 90_000;

export class Api {
  constructor(
    private readonly base: string,
    private readonly token: () => string | null,
  ) {}

  async catalogue(): Promise<Catalogue> {
    const answer = await this.#ask("GET", "commands");
    const body = (await answer.json()) as Catalogue;
    if (!answer.ok) throw new Error(`the commands could not be read: ${answer.status}`);
    return body;
  }

  /** Runs a command; a refusal and a server that does not answer are outcomes like others. */
  async execute(call: Call): Promise<Outcome> {
    try {
      const within = call.name === "why" ? WHY_WITHIN : ANSWER_WITHIN;
      const answer = await this.#ask("POST", "commands", call, within);
      return await outcomeOf(answer, call.name);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return {
        name: call.name,
        status: "failed",
        error: {
          code: "unreachable",
          message: `no answer from the server (${message})`,
          hint: "mirrorcore ctl emergency_stop also works where the server is dead",
        },
      };
    }
  }

  #ask(method: string, path: string, body?: unknown, within = ANSWER_WITHIN): Promise<Response> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${this.token() ?? ""}`,
      "X-MirrorCore-Door": "web",
    };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      headers["Idempotency-Key"] = freshKey();
    }
    return fetch(this.base + path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(within),
    });
  }
}

/** A refusal comes as a problem document (RFC 9457), with the outcome in it if there was one. */
interface ProblemDocument {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
  readonly retry_after?: number;
  readonly outcome?: Outcome;
}

async function outcomeOf(answer: Response, name: string): Promise<Outcome> {
  const body: unknown = await answer.json();
  if (answer.ok) return body as Outcome;
  const problem = body as ProblemDocument;
  if (problem.outcome) return problem.outcome;
  const { code, detail, hint, retry_after } = problem;
  return {
    name,
    status: "rejected",
    error: { code, message: detail, ...(hint && { hint }), ...(retry_after && { retry_after }) },
  };
}

/** 128 random bits; `crypto.randomUUID` is missing where the page came over plain HTTP. */
function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
