import { Buffer } from "node:buffer";
import * as codec from "dns-packet";

export function queryBytes(options: {
  name: string;
  type?: string;
  qclass?: number;
  id?: number;
  flags?: number;
  edns?: number;
  dnssecOk?: boolean;
  /** EDNS options, as octets; with `edns`. */
  ednsOptions?: { code: number; data: Uint8Array }[];
}): Uint8Array {
  const { name, type = "A", id = 1, flags = codec.RECURSION_DESIRED, edns, dnssecOk } = options;
  const { ednsOptions = [], qclass = 1 } = options;
  const additionals = edns === undefined ? [] : [{
    type: "OPT" as const,
    name: ".",
    udpPayloadSize: edns,
    flags: dnssecOk === true ? codec.DNSSEC_OK : 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flag_do: dnssecOk === true,
    options: ednsOptions.map(({ code, data }) => ({ code, data: Buffer.from(data) })),
  }];
  const question: codec.Question = { name, type: type as codec.RecordType, class: "IN" };
  const bytes = new Uint8Array(codec.encode({
    type: "query",
    id,
    flags,
    questions: [question],
    additionals: additionals as codec.Answer[],
  }));
  const questionEnd = codec.encodingLength({ type: "query", questions: [question] });
  bytes[questionEnd - 2] = qclass >> 8;
  bytes[questionEnd - 1] = qclass & 255;
  return bytes;
}

export type Decoded = codec.DecodedPacket & { rcode: string };

export function decode(bytes: Uint8Array): Decoded {
  return codec.decode(Buffer.from(bytes)) as Decoded;
}

/** A response to a decoded query; records in dns-packet's form. */
export function responseBytes(
  query: codec.DecodedPacket,
  options: {
    answers?: codec.Answer[];
    authorities?: codec.Answer[];
    additionals?: codec.Answer[];
    rcode?: number;
    truncated?: boolean;
    /** Header bits; default RD and RA. */
    flags?: number;
    question?: codec.Question;
    edns?: boolean;
    options?: { code: number; data: Uint8Array }[];
    extendedRcode?: number;
  } = {},
): Uint8Array {
  const bits = options.flags ?? codec.RECURSION_DESIRED | codec.RECURSION_AVAILABLE;
  const flags = bits | (options.rcode ?? 0) |
    (options.truncated === true ? codec.TRUNCATED_RESPONSE : 0);
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1232,
    flags: 0,
    extendedRcode: options.extendedRcode ?? 0,
    ednsVersion: 0,
    flag_do: false,
    options: (options.options ?? []).map(({ code, data }) => ({ code, data: Buffer.from(data) })),
  } as unknown as codec.Answer;
  return new Uint8Array(codec.encode({
    type: "response",
    id: query.id ?? 0,
    flags,
    questions: [options.question ?? query.questions![0]!],
    answers: options.answers ?? [],
    authorities: options.authorities ?? [],
    additionals: [...options.additionals ?? [], ...options.edns === false ? [] : [opt]],
  }));
}

export function a(name: string, data: string, ttl = 300): codec.Answer {
  return { type: "A", name, ttl, data, class: "IN" };
}

export function cname(name: string, data: string, ttl = 300): codec.Answer {
  return { type: "CNAME", name, ttl, data, class: "IN" };
}

/** A zone's NS record, as in referrals. */
export function ns(name: string, ttl = 518_400): codec.Answer {
  return { type: "NS", name, ttl, data: `ns.${name}`, class: "IN" };
}

/** An SOA record, as in denials. */
export function soa(name: string, ttl = 60): codec.Answer {
  return {
    type: "SOA",
    name,
    ttl,
    class: "IN",
    data: {
      mname: `ns.${name}`,
      rname: `admin.${name}`,
      serial: 1,
      refresh: 3600,
      retry: 600,
      expire: 86400,
      minimum: ttl,
    },
  };
}

export function errorCodes(answer: Decoded): number[] {
  return optionsOf(answer).filter(({ code }) => code === 15)
    .map(({ data }) => (data[0]! << 8) | data[1]!);
}

export function optionsOf(message: codec.DecodedPacket): { code: number; data: Uint8Array }[] {
  const opt = message.additionals!.find(({ type }) => type === "OPT") as
    | { options: { code: number; data: Uint8Array }[] }
    | undefined;
  return (opt?.options ?? []).map(({ code, data }) => ({ code, data: Uint8Array.from(data) }));
}
