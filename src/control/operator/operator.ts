import { visibleJson } from "../../base/visible.ts";
import type { Config } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { type Verb, VERB_MS, VerbError, type VerbReply } from "../../plugins/verbs.ts";
import type { HttpTarget } from "../endpoints/http/address.ts";
import type { HttpConnection } from "../endpoints/http/connection.ts";
import type { HttpReply, HttpRequest, HttpStream } from "../endpoints/http/message.ts";

/** Lines per write. */
const MAX_JOINED = 16_384;
/** Values of parameters come from outside. */
const MAX_LOGGED = 200;

/** Environment of verbs. */
export interface OperatorServices {
  config: () => Config;
  log: (level: LogLevel, line: string) => void;
}

/** Makes a control socket path from each verb. */
export function verbTargets(
  verbs: readonly Verb[],
  services: OperatorServices,
): Map<string, HttpTarget> {
  return new Map(verbs.map((verb) => [`/v1/${verb.name}`, {
    answerMs: VERB_MS + 1000,
    handler: (request, connection) => answer(verb, request, connection, services),
  }]));
}

async function answer(
  verb: Verb,
  { method, query }: HttpRequest,
  connection: HttpConnection,
  { config, log }: OperatorServices,
): Promise<HttpReply | HttpStream> {
  try {
    if (verb.changes === true && method !== "POST") {
      throw new VerbError(`${verb.name} changes something: it needs POST (curl -X POST)`);
    }
    const parameters = readParameters(verb, query);
    if (verb.changes === true) log("info", logLine(verb, parameters, connection));
    const reply = await verb.run({ parameters, config: config(), gone: connection.gone });
    return isStream(reply) ? streamReply(reply) : jsonReply(200, reply);
  } catch (error) {
    if (!(error instanceof VerbError)) throw error;
    return jsonReply(error.status, { error: error.message });
  }
}

function readParameters({ name, parameters = [] }: Verb, query: URLSearchParams) {
  const given = new Map<string, string>();
  for (const [key, value] of query) {
    if (!parameters.includes(key)) {
      const known = parameters.length === 0 ? "it has none" : `it has ${parameters.join(", ")}`;
      throw new VerbError(`${name} has no parameter ${JSON.stringify(key)}; ${known}`);
    }
    if (given.has(key)) throw new VerbError(`${key} is given twice`);
    given.set(key, value);
  }
  return given;
}

function logLine(
  { name }: Verb,
  parameters: ReadonlyMap<string, string>,
  { peer }: HttpConnection,
): string {
  const given = [...parameters].map(([key, value]) => ` ${key}=${visibleJson(value)}`).join("");
  const known = peer !== null && peer.uid >= 0;
  const who = known ? `user ${peer.uid}, process ${peer.pid}` : "an unknown process";
  return `control: ${name}${given.slice(0, MAX_LOGGED)} (from ${who})`;
}

function isStream(reply: VerbReply): reply is AsyncIterable<object> {
  return Symbol.asyncIterator in reply;
}

function jsonReply(status: number, value: object): HttpReply {
  const headers = { "content-type": "application/json" };
  return { status, headers, body: `${visibleJson(value)}\n` };
}

function streamReply(values: AsyncIterable<object>): HttpStream {
  const headers = { "content-type": "application/x-ndjson" };
  return { status: 200, headers, chunks: lines(withReason(values)) };
}

/** The status has been sent: a failing stream ends with its reason. */
async function* withReason(values: AsyncIterable<object>): AsyncGenerator<object> {
  try {
    yield* values;
  } catch (error) {
    if (!(error instanceof VerbError)) throw error;
    yield { error: error.message };
  }
}

/** Joins ready lines: writes are costly. */
async function* lines(values: AsyncIterable<object>): AsyncGenerator<string> {
  const iterator = values[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (let ended = false; !ended;) {
      let { done, value } = await next;
      let text = "";
      const pause = new Promise<null>((resolve) => setImmediate(() => resolve(null)));
      for (;;) {
        ended = done === true;
        if (ended) break;
        text += `${visibleJson(value)}\n`;
        next = iterator.next();
        // It may fail while the text is written.
        next.catch(() => {});
        const ready = text.length < MAX_JOINED ? await Promise.race([next, pause]) : null;
        if (ready === null) break;
        ({ done, value } = ready);
      }
      if (text !== "") yield text;
    }
  } finally {
    await iterator.return?.();
  }
}
