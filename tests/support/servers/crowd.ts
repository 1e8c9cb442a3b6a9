import { askTcp, askUdp } from "../processes/drivers.ts";
import { decode, type Decoded, queryBytes } from "../messages/messages.ts";
import { frame } from "../simulation/simulation.ts";

/** A client's time limit: a little longer than nodens may take. */
const LIMIT_MS = 7000;

export interface CrowdAnswer {
  readonly name: string;
  message: Decoded | null;
  /** Number of answers to other clients before it; Infinity without an answer. */
  place: number;
  size: number;
}

/** Many clients of one server, each with one question and its own socket. */
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

  /** Sends a query without waiting; the returned object receives the answer. */
  ask(name: string, options: Omit<Parameters<typeof queryBytes>[0], "name"> = {}): CrowdAnswer {
    const one: CrowdAnswer = { name, message: null, place: Infinity, size: 0 };
    const id = this.asked.push(one);
    this.#running.push(this.#ask(queryBytes({ id, ...options, name }), one));
    return one;
  }

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

/** Answers without an error and with so many records, by default at least one. */
export function served(answers: readonly CrowdAnswer[], records?: number): CrowdAnswer[] {
  return answers.filter(({ message }) =>
    message !== null && message.rcode === "NOERROR" && !message.flag_tc &&
    (records === undefined ? message.answers!.length > 0 : message.answers!.length === records)
  );
}
