/** Kinds of servers found in the field, for the simulation. Each wraps another behaviour. */
import type * as codec from "dns-packet";
import { a, responseBytes } from "../messages/messages.ts";
import type { Behaviour } from "./simulation.ts";

type Sent = Exclude<ReturnType<Behaviour>, "refuse">;

/**
 * Answers every query with this address after a delay in milliseconds, which may depend on the
 * name.
 */
export function answering(
  delay: number | ((name: string) => number) = 1,
  address = "192.0.2.7",
): Behaviour {
  return (query) => {
    const { name } = query.questions![0]!;
    const delayMs = typeof delay === "number" ? delay : delay(name);
    return [{ bytes: responseBytes(query, { answers: [a(name, address)] }), delayMs }];
  };
}

/** Answers the queries of a TCP connection in order, like CoreDNS and dnsmasq. */
export function serial(inner: Behaviour): Behaviour {
  const freeMs = new Map<number, number>();
  return (query, transport, arrival) => {
    const sent = inner(query, transport, arrival);
    if (sent === "refuse" || transport === "udp") return sent;
    const { connection, nowMs } = arrival!;
    const startMs = Math.max(nowMs, freeMs.get(connection) ?? 0);
    const delays = sent.map(({ delayMs = 1 }) => delayMs);
    // An unanswered query blocks the connection for good.
    freeMs.set(connection, sent.length === 0 ? Infinity : startMs + Math.max(...delays));
    if (startMs === Infinity) return [];
    return sent.map((one, i) => ({ ...one, delayMs: startMs - nowMs + delays[i]! }));
  };
}

/** Answers only the first messages of each TCP connection; ignores the others. */
export function firstOnly(inner: Behaviour, most = 1): Behaviour {
  const counts = new Map<number, number>();
  return (query, transport, arrival) => {
    if (transport === "udp") return inner(query, transport, arrival);
    const { connection } = arrival!;
    const count = (counts.get(connection) ?? 0) + 1;
    counts.set(connection, count);
    return count > most ? [] : inner(query, transport, arrival);
  };
}

/** Serves this many TCP connections at a time; the kernel accepts others, which are never read. */
export function atMost(most: number, inner: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    transport === "tcp" && arrival!.connections.indexOf(arrival!.connection) >= most
      ? []
      : inner(query, transport, arrival);
}

export function slowAccept(waitMs: number, inner: Behaviour): Behaviour {
  const since = new Map<number, number>();
  return (query, transport, arrival) => {
    if (transport === "udp") return inner(query, transport, arrival);
    const { connection, nowMs } = arrival!;
    const readyMs = since.get(connection) ?? nowMs + waitMs;
    since.set(connection, readyMs);
    const readMs = Math.max(nowMs, readyMs);
    const sent = inner(query, transport, { ...arrival!, nowMs: readMs });
    if (sent === "refuse") return sent;
    return sent.map((one) => ({ ...one, delayMs: (one.delayMs ?? 1) + readMs - nowMs }));
  };
}

/** Closes each TCP connection at query number `on`, counted from one, without an answer. */
export function closingAt(on: number, inner: Behaviour): Behaviour {
  const counts = new Map<number, number>();
  return (query, transport, arrival) => {
    if (transport === "udp") return inner(query, transport, arrival);
    const { connection } = arrival!;
    const count = (counts.get(connection) ?? 0) + 1;
    counts.set(connection, count);
    if (count < on) return inner(query, transport, arrival);
    return [{ bytes: new Uint8Array(), delayMs: 0, close: true }];
  };
}

/** Closes each TCP connection after its first answer. */
export function closing(inner: Behaviour): Behaviour {
  return (query, transport, arrival) => {
    const sent = inner(query, transport, arrival);
    return sent === "refuse" ? sent : sent.map((one) => ({ ...one, close: true }));
  };
}

export function overTcp(tcp: Behaviour, udp: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (transport === "tcp" ? tcp : udp)(query, transport, arrival);
}

export const silent: Behaviour = () => [];

export const refusing: Behaviour = () => "refuse";

/** Truncates UDP answers, keeping the records that fit; with `bare`, only the header. */
export function truncating(tcp: Behaviour, { bare = false } = {}): Behaviour {
  return overTcp(tcp, (query) => {
    const { name } = query.questions![0]!;
    const bytes = responseBytes(query, { truncated: true, answers: [a(name, "192.0.2.8")] });
    return [{ bytes: bare ? header(bytes) : bytes }];
  });
}

/** Another behaviour for queries with OPT, or with options in it. */
export function toEdns(special: Behaviour, inner: Behaviour, { options = false } = {}): Behaviour {
  return (query, transport, arrival) => {
    const opt = optOf(query);
    const matches = opt !== undefined && (!options || opt.options.length > 0);
    return (matches ? special : inner)(query, transport, arrival);
  };
}

/** Another behaviour for queries with DO. */
export function toDnssec(special: Behaviour, inner: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (optOf(query)?.flag_do === true ? special : inner)(query, transport, arrival);
}

/**
 * Answers with a response code: complete, as a header alone, with OPT, or with the query's OPT
 * returned.
 */
export function failing(
  rcode: number,
  form: "whole" | "with-opt" | "bare" | "bare-with-opt" | "opt-echoed" = "whole",
): Behaviour {
  return (query) => {
    const extendedRcode = rcode >> 4;
    const options = optOf(query)?.options ?? [];
    const bytes = responseBytes(query, {
      rcode: rcode & 15,
      extendedRcode,
      edns: form !== "whole" && form !== "bare",
      options: form === "opt-echoed" ? options : [],
    });
    if (form === "bare") return [{ bytes: header(bytes) }];
    return [{ bytes: form === "bare-with-opt" ? withoutQuestion(bytes, query) : bytes }];
  };
}

/** Does not support EDNS and sends no OPT. */
export function withoutEdns(delayMs = 1): Behaviour {
  return (query) => {
    const { name } = query.questions![0]!;
    const bytes = responseBytes(query, { answers: [a(name, "192.0.2.7")], edns: false });
    return [{ bytes, delayMs }];
  };
}

/** Repeats the question in lower case. */
export function folding(inner: Behaviour): Behaviour {
  return (query, transport, arrival) => {
    const [question] = query.questions!;
    const folded = { ...query, questions: [{ ...question!, name: question!.name.toLowerCase() }] };
    return inner(folded, transport, arrival);
  };
}

export function lame(kind: "referral" | "empty"): Behaviour {
  return (query) => {
    const ns = { type: "NS", name: ".", ttl: 518400, data: "a.root-servers.test" } as const;
    const bytes = responseBytes(query, { authorities: kind === "referral" ? [ns] : [] });
    bytes[3]! &= 0x7f;
    return [{ bytes }];
  };
}

/** One behaviour until this simulated millisecond, then another. */
export function changing(untilMs: number, before: Behaviour, after: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (arrival!.nowMs < untilMs ? before : after)(query, transport, arrival);
}

export function both(first: Behaviour, second: Behaviour): Behaviour {
  return (query, transport, arrival) => [
    ...first(query, transport, arrival) as Sent,
    ...second(query, transport, arrival) as Sent,
  ];
}

/** "plain", "EDNS" or "options", and "DO" if it is set. */
export function formOf(query: codec.DecodedPacket): string {
  const opt = optOf(query);
  if (opt === undefined) return "plain";
  return `${opt.options.length > 0 ? "options" : "EDNS"}${opt.flag_do ? ", DO" : ""}`;
}

function optOf(
  query: codec.DecodedPacket,
): { options: { code: number; data: Uint8Array }[]; flag_do: boolean } | undefined {
  return query.additionals!.find(({ type }) => type === "OPT") as never;
}

function header(bytes: Uint8Array): Uint8Array {
  const bare = bytes.slice(0, 12);
  bare.fill(0, 4);
  return bare;
}

function withoutQuestion(bytes: Uint8Array, query: codec.DecodedPacket): Uint8Array {
  const nameSize = query.questions![0]!.name.length + 2;
  const whole = new Uint8Array([...bytes.slice(0, 12), ...bytes.slice(12 + nameSize + 4)]);
  whole[5] = 0;
  return whole;
}
