import { askTcp, askUdp } from "../processes/drivers.ts";
import { decode, type Decoded, queryBytes } from "../messages/messages.ts";
import { frame } from "../simulation/simulation.ts";

/** How long a client waits: a little longer than nodens may take. */
const LIMIT_MS = 7000;

/** One client's question, and what came of it. */
export interface CrowdAnswer {
  readonly name: string;
  /** Null where none came in time. */
  message: Decoded | null;
  /** How many of the crowd were answered before it; Infinity where it was not. */
  place: number;
  /** Octets. */
  size: number;
}

/** Many clients of one server, each with one question from a socket of its own. */
export class Crowd {
  readonly asked: CrowdAnswer[] = [];
  readonly #port: number;
  readonly #transport: "udp" | "tcp";
  readonly #running: Promise<void>[] = [];
  #answered = 0;

  constructor(port: number, transport: "udp" | "tcp" = "udp") {
    this.#port = port;
    this.#transport = transport;
  }

  /** Asks without waiting for the answer, which will stand in the object returned. */
  ask(name: string, options: Omit<Parameters<typeof queryBytes>[0], "name"> = {}): CrowdAnswer {
    const one: CrowdAnswer = { name, message: null, place: Infinity, size: 0 };
    const id = this.asked.push(one);
    this.#running.push(this.#ask(queryBytes({ id, ...options, name }), one));
    return one;
  }

  /** Waits until every question is answered, or its client has given up. */
  async finish(): Promise<readonly CrowdAnswer[]> {
    await Promise.all(this.#running);
    return this.asked;
  }

  async #ask(query: Uint8Array, one: CrowdAnswer): Promise<void> {
    const to = { port: this.#port };
    const bytes = this.#transport === "udp"
      ? await askUdp(query, { ...to, limitMs: LIMIT_MS }).catch(() => null)
      : await askTcp([frame(query)], to).then(([first]) => first ?? null, () => null);
    if (bytes === null) return;
    one.message = decode(bytes);
    one.size = bytes.length;
    one.place = this.#answered++;
  }
}

/** Those that got so many records, by default at least one, and no error. */
export function served(answers: readonly CrowdAnswer[], records?: number): CrowdAnswer[] {
  return answers.filter(({ message }) =>
    message !== null && message.rcode === "NOERROR" && !message.flag_tc &&
    (records === undefined ? message.answers!.length > 0 : message.answers!.length === records)
  );
}
