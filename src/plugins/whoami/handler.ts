import { Address } from "../../dns/address.ts";
import { CLASS, FLAG, HEADER_SIZE, MAX_NAME_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { TCP } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, NEXT } from "../../engine/handler.ts";
import { explainWhoami } from "./explain.ts";

/** `_udp` and `_tcp`, each before a pointer to the qname. */
const UDP_OWNER = Uint8Array.from([4, 0x5f, 0x75, 0x64, 0x70, 0xc0, HEADER_SIZE]);
const TCP_OWNER = Uint8Array.from([4, 0x5f, 0x74, 0x63, 0x70, 0xc0, HEADER_SIZE]);
const LABEL_SIZE = 5;
const ROOT = new Uint8Array(1);

/** Answers with client address, port and transport. */
export const createWhoami: CreateHandler = (_options, { engine }) => {
  const address = new Address();
  return {
    name: "whoami",
    explain(exchange) {
      return explainWhoami(this.query!(exchange));
    },
    query(exchange) {
      if (exchange.qclass !== CLASS.IN) return NEXT;
      engine.clientAddress(exchange, address);
      const v4 = address.family === 4;
      const writer = engine.writer.begin(exchange, RCODE.NOERROR, FLAG.AA);
      writer.record("additional", null, v4 ? TYPE.A : TYPE.AAAA, CLASS.IN, 0)
        .raw(address.bytes, 0, v4 ? 4 : 16);
      // Without room for another label, the qname is the owner.
      const fits = exchange.qnameLength + LABEL_SIZE <= MAX_NAME_SIZE;
      const owner = exchange.transport === TCP ? TCP_OWNER : UDP_OWNER;
      writer.record("additional", fits ? owner : null, TYPE.SRV, CLASS.IN, 0)
        .uint16(0).uint16(0).uint16(address.port).raw(ROOT, 0, 1);
      exchange.response = writer.end();
      return ANSWERED;
    },
  };
};
