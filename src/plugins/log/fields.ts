import { Address } from "../../dns/address.ts";
import {
  FLAG,
  HEADER_SIZE,
  MAX_MESSAGE_SIZE,
  MIN_UDP_PAYLOAD,
  RCODE,
  TYPE,
} from "../../dns/constants.ts";
import { classText, flagsText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Response } from "../../engine/response/response.ts";
import { hasSignatureOutOfTime } from "../cache/dnssec.ts";
import { ANSWER_FIELDS, secondsOf } from "./answer_fields.ts";
import type { Answered, Value } from "./answered.ts";
import type { LogField, ResponseClass } from "./placeholders.ts";

interface Kind {
  readonly class: ResponseClass;
  readonly type: string;
}

const KINDS = {
  success: { class: "success", type: "NOERROR" },
  delegation: { class: "success", type: "DELEGATION" },
  noData: { class: "denial", type: "NODATA" },
  noName: { class: "denial", type: "NXDOMAIN" },
  failure: { class: "error", type: "SERVERERROR" },
  other: { class: "error", type: "OTHERERROR" },
} as const satisfies Record<string, Kind>;

/** By placeholder. */
export const FIELDS: Readonly<Record<LogField, (answered: Answered) => Value | null>> = {
  "type": ({ exchange }) => typeText(exchange.qtype),
  "name": ({ exchange: { memory, offset } }) =>
    formatName(memory.bytes, offset + HEADER_SIZE).toLowerCase(),
  "class": ({ exchange }) => classText(exchange.qclass),
  "proto": ({ exchange }) => exchange.transport === TCP ? "tcp" : "udp",
  "size": ({ exchange }) => exchange.length,
  "remote": ({ exchange, engine }) => clientOf(exchange, engine)?.hostname() ?? null,
  "port": ({ exchange, engine }) => clientOf(exchange, engine)?.port ?? null,
  "/nodens/client": ({ exchange, engine }) => engine.clientName(exchange) || null,
  "local": ({ exchange, engine }) => {
    if (hasGone(exchange)) return null;
    engine.localAddress(exchange, address);
    return address.hostname();
  },
  ">id": ({ exchange }) => exchange.id,
  ">opcode": ({ exchange }) => (exchange.flags & FLAG.OPCODE) >> 11,
  ">do": ({ exchange }) => exchange.dnssecOk,
  // Over TCP every size fits.
  ">bufsize": ({ exchange: { transport, ednsSize } }) =>
    transport === TCP ? MAX_MESSAGE_SIZE : Math.max(MIN_UDP_PAYLOAD, ednsSize),
  // As in CoreDNS, a number without a mnemonic.
  "rcode": ({ response: { rcode } }) => rcodeText(rcode).replace(/^RCODE.*/, String(rcode)),
  "rsize": ({ response }) => response.length,
  // Since the query's batch was read from its socket.
  "duration": ({ exchange, endMs }) => secondsOf(endMs - exchange.receivedMs),
  ">rflags": clientFlags,
  "/log/class": ({ exchange, engine }) => kindOf(exchange, engine).class,
  "/log/type": ({ exchange, engine }) => kindOf(exchange, engine).type,
  ...ANSWER_FIELDS,
};

const address = new Address();

/** Value of a placeholder. */
export function fieldText(field: LogField, answered: Answered): string {
  const value = FIELDS[field](answered);
  if (value === null) return "-";
  if (field === "duration" || field === "/nodens/wait") {
    // In Go's format.
    return `${(value as number).toFixed(9).replace(/\.?0+$/, "")}s`;
  }
  const isAddress = field === "remote" || field === "local";
  return isAddress && String(value).includes(":") ? `[${value}]` : String(value);
}

/** CoreDNS's. Allocates nothing. */
export function kindOf({ response, dnssecOk }: Exchange, engine: EngineServices): Kind {
  const { rcode, answerCount } = response!;
  // A bad signature is an error for DNSSEC clients.
  if (dnssecOk && hasSignatureOutOfTime(response!, engine.wallMs())) return KINDS.other;
  if (rcode === RCODE.NOERROR) {
    if (answerCount > 0) return KINDS.success;
    if (hasAuthority(response!, TYPE.SOA)) return KINDS.noData;
    return hasAuthority(response!, TYPE.NS) ? KINDS.delegation : KINDS.success;
  }
  // For CoreDNS, an alias to a missing name is neither success nor denial.
  if (rcode === RCODE.NXDOMAIN) return answerCount > 0 ? KINDS.other : KINDS.noName;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP ? KINDS.failure : KINDS.other;
}

function hasAuthority(response: Response, type: number): boolean {
  const first = response.answerCount;
  const end = Math.min(first + response.authorityCount, response.ttlCount);
  for (let i = first; i < end; i++) if (response.typeOf(i) === type) return true;
  return false;
}

/** The client's connection is closed. */
export function hasGone({ origin }: Exchange): boolean {
  return origin.kind === "stream" && origin.gone;
}

function clientOf(exchange: Exchange, engine: EngineServices): Address | null {
  if (hasGone(exchange)) return null;
  engine.clientAddress(exchange, address);
  return address;
}

/** Flags after `compose`. */
function clientFlags({ exchange, response }: Answered): string {
  const ofQuery = FLAG.RD | FLAG.CD;
  let flags = (response.flags & ~ofQuery) | (exchange.flags & ofQuery);
  if (!exchange.dnssecOk && (exchange.flags & FLAG.AD) === 0) flags &= ~FLAG.AD;
  return flagsText(flags, ",");
}
