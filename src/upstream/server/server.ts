import { RCODE } from "../../dns/constants.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import { FORM, type Inquiry, writePacket } from "../message/inquiry.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import { Outgoing, type TransportHandler } from "../transport/outgoing.ts";
import { UdpQuery } from "../transport/udp.ts";
import { Ask } from "./ask.ts";
import { KnownServer } from "./known_server.ts";

const MAX_SPARE = 1024;
const TRIAL_MS = 2000;

/** A server to ask. */
export class UpstreamServer extends KnownServer {
  readonly #spare: Ask[] = [];
  #trial: FormTrial | null = null;

  /** Returns immediate failures. */
  ask(inquiry: Inquiry, options: AskOptions, handler: AskHandler): Ticket | Outcome {
    const ask = this.#spare.pop() ?? new Ask(this, this.#release);
    const ended = ask.start(inquiry, options, handler);
    if (ended !== null) {
      this.#release(ask);
      return ended;
    }
    // An unanswered question proves nothing.
    if (!options.again) {
      this.#trial ??= new FormTrial(this);
      this.#trial.tryWith(inquiry, options.streamed || this.group.settings.forceTcp);
    }
    return ask;
  }

  readonly #release = (ask: Ask): void => {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(ask);
  };
}

/** Retries a better form with a copied query. */
class FormTrial implements TransportHandler {
  readonly #server: KnownServer;
  readonly #query = new Outgoing(this);
  readonly #udp: UdpQuery;
  readonly #timer: Timer;
  #form = -1;
  #streamed = false;

  constructor(server: KnownServer) {
    const { engine } = server;
    this.#server = server;
    this.#udp = new UdpQuery(this.#query, engine);
    this.#timer = engine.timers.create(() => this.#end(false));
  }

  tryWith(inquiry: Inquiry, streamed: boolean): void {
    const { engine, endpoint, cookie, connections, ladder } = this.#server;
    const form = this.#form < 0 ? ladder.toTry(engine.nowMs) : -1;
    if (form < 0) return;
    const query = this.#query;
    const encrypted = endpoint.tls !== null;
    const withOptions = form === FORM.OPTIONS;
    this.#form = form;
    this.#streamed = streamed || encrypted;
    query.questionLength = inquiry.questionLength;
    query.length = writePacket(query.packet, inquiry, {
      form,
      cookie: withOptions && !encrypted ? cookie : null,
      subnet: withOptions,
      padded: withOptions && encrypted,
      mixedCase: null,
    });
    engine.timers.set(this.#timer, engine.nowMs + TRIAL_MS);
    const failure = this.#streamed ? connections.send(query) : this.#udp.send(endpoint);
    if (failure !== null) this.#end(false);
  }

  replied(memory: Memory): void {
    const rcode = memory.view.getUint16(2) & 15;
    // Without a question: a complaint.
    const proper = memory.view.getUint16(4) === 1;
    this.#end(proper && (rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN));
  }

  failed(): void {
    this.#end(false);
  }

  #end(answered: boolean): void {
    const { engine, connections, ladder } = this.#server;
    const form = this.#form;
    this.#form = -1;
    if (this.#streamed) connections.cancel(this.#query, !answered);
    else this.#udp.cancel();
    engine.timers.clear(this.#timer);
    ladder.tried(form, answered, engine.nowMs);
  }
}
