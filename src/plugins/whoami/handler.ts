import { Address } from "../../dns/address.ts";
import { CLASS, FLAG, HEADER_SIZE, MAX_NAME_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import type { WhoamiOptions } from "./options.ts";

/** `_udp` and `_tcp`, each followed by a pointer to the qname. */
const UDP_OWNER = Uint8Array.from([4, 0x5f, 0x75, 0x64, 0x70, 0xc0, HEADER_SIZE]);
const TCP_OWNER = Uint8Array.from([4, 0x5f, 0x74, 0x63, 0x70, 0xc0, HEADER_SIZE]);
/** What the label adds to the length of the name. */
const LABEL_SIZE = 5;
const ROOT = new Uint8Array(1);

/** Makes the handler of a `whoami` directive. */
export const createWhoami: CreateHandler<WhoamiOptions> = (_options, { engine }) =>
  new WhoamiHandler(engine);

/** Tells the client its own address, port and transport, in the additional section. */
class WhoamiHandler implements Handler {
  readonly name = "whoami";
  readonly #engine: EngineServices;
  readonly #address = new Address();

  constructor(engine: EngineServices) {
    this.#engine = engine;
  }

  query(exchange: Exchange): Verdict {
    if (exchange.qclass !== CLASS.IN) return NEXT;
    const address = this.#address;
    this.#engine.clientAddress(exchange, address);
    const v4 = address.family === 4;
    const writer = this.#engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
    writer.record("additional", null, v4 ? TYPE.A : TYPE.AAAA, CLASS.IN, 0)
      .raw(address.bytes, 0, v4 ? 4 : 16);
    // A name this long has no room for another label; then the SRV record stands at the name itself.
    const fits = exchange.qnameLength + LABEL_SIZE <= MAX_NAME_SIZE;
    const owner = exchange.transport === TCP ? TCP_OWNER : UDP_OWNER;
    writer.record("additional", fits ? owner : null, TYPE.SRV, CLASS.IN, 0)
      .uint16(0).uint16(0).uint16(address.port).raw(ROOT, 0, 1);
    exchange.response = writer.end();
    return ANSWERED;
  }
}
