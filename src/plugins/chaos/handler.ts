import { CLASS, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import { sameName } from "../../engine/question/fold.ts";
import type { ChaosOptions } from "./setup.ts";

/** Makes the handler of a `chaos` directive. */
export const createChaos: CreateHandler<ChaosOptions> = (options, { engine }) =>
  new ChaosHandler(options, engine);

/** Answers TXT queries of class CH about the server itself. */
class ChaosHandler implements Handler {
  readonly name = "chaos";
  readonly everyClass = true;
  readonly #engine: EngineServices;
  /** Names in wire form, with the strings that each is answered with. */
  readonly #texts: readonly { name: Uint8Array; strings: readonly Uint8Array[] }[];

  constructor({ version, authors, hostname }: ChaosOptions, engine: EngineServices) {
    this.#engine = engine;
    const text = (name: string, ...strings: string[]) => ({
      name: parseName(name),
      strings: strings.map((one) => new TextEncoder().encode(one)),
    });
    this.#texts = [
      text("version.bind", version),
      text("version.server", version),
      text("hostname.bind", hostname),
      text("id.server", hostname),
      text("authors.bind", ...authors),
    ];
  }

  query(exchange: Exchange): Verdict {
    const { qclass, qtype, qnameLength, memory, offset } = exchange;
    if (qclass !== CLASS.CH || qtype !== TYPE.TXT) return NEXT;
    const found = this.#texts.find(({ name }) =>
      name.length === qnameLength &&
      sameName(memory.bytes, offset + HEADER_SIZE, name, 0, name.length)
    );
    if (found === undefined) return NEXT;
    const writer = this.#engine.writer.begin(exchange, RCODE.NOERROR);
    // Authors come in an order that begins anywhere.
    const { strings } = found;
    const first = this.#engine.random() % strings.length;
    for (let i = 0; i < strings.length; i++) {
      const octets = strings[(first + i) % strings.length]!;
      writer.record("answer", null, TYPE.TXT, CLASS.CH, 0)
        .uint8(octets.length).raw(octets, 0, octets.length);
    }
    exchange.response = writer.end();
    return ANSWERED;
  }
}
