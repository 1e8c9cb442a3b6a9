/** The kinds of servers that are met in the world, for the simulation: each wraps another's behaviour. */
import type * as codec from "dns-packet";
import { a, responseBytes } from "../messages/messages.ts";
import type { Behaviour } from "./simulation.ts";

type Sent = Exclude<ReturnType<Behaviour>, "refuse">;

/** Answers every query with this address, after so many milliseconds, which may depend on the name. */
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

/** Answers one query after the other on each TCP connection, as CoreDNS and dnsmasq do. */
export function serial(inner: Behaviour): Behaviour {
  const freeMs = new Map<number, number>();
  return (query, transport, arrival) => {
    const sent = inner(query, transport, arrival);
    if (sent === "refuse" || transport === "udp") return sent;
    const { connection, nowMs } = arrival!;
    const startMs = Math.max(nowMs, freeMs.get(connection) ?? 0);
    const delays = sent.map(({ delayMs = 1 }) => delayMs);
    // One that is never answered holds the connection up for good.
    freeMs.set(connection, sent.length === 0 ? Infinity : startMs + Math.max(...delays));
    if (startMs === Infinity) return [];
    return sent.map((one, i) => ({ ...one, delayMs: startMs - nowMs + delays[i]! }));
  };
}

/** Answers only the first so many messages of each TCP connection; the rest is read and forgotten. */
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

/** Serves so many TCP connections at a time; more are accepted by the kernel, and never read. */
export function atMost(most: number, inner: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    transport === "tcp" && arrival!.connections.indexOf(arrival!.connection) >= most
      ? []
      : inner(query, transport, arrival);
}

/** Takes up each TCP connection only so many milliseconds after its first message. */
export function slowAccept(waitMs: number, inner: Behaviour): Behaviour {
  const since = new Map<number, number>();
  return (query, transport, arrival) => {
    if (transport === "udp") return inner(query, transport, arrival);
    const { connection, nowMs } = arrival!;
    const readyMs = since.get(connection) ?? nowMs + waitMs;
    since.set(connection, readyMs);
    // What came before it was taken up is all there then, and keeps its order.
    const readMs = Math.max(nowMs, readyMs);
    const sent = inner(query, transport, { ...arrival!, nowMs: readMs });
    if (sent === "refuse") return sent;
    return sent.map((one) => ({ ...one, delayMs: (one.delayMs ?? 1) + readMs - nowMs }));
  };
}

/** Closes each TCP connection at its query number `on`, counted from one, without an answer. */
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

/** Closes each TCP connection behind its first answer. */
export function closing(inner: Behaviour): Behaviour {
  return (query, transport, arrival) => {
    const sent = inner(query, transport, arrival);
    return sent === "refuse" ? sent : sent.map((one) => ({ ...one, close: true }));
  };
}

/** Another behaviour over TCP. */
export function overTcp(tcp: Behaviour, udp: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (transport === "tcp" ? tcp : udp)(query, transport, arrival);
}

/** Says nothing. */
export const silent: Behaviour = () => [];

/** Nothing listens, or it resets. */
export const refusing: Behaviour = () => "refuse";

/** Truncates every answer over UDP, with the records that have room; or, `bare`, to the header. */
export function truncating(tcp: Behaviour, { bare = false } = {}): Behaviour {
  return overTcp(tcp, (query) => {
    const { name } = query.questions![0]!;
    const bytes = responseBytes(query, { truncated: true, answers: [a(name, "192.0.2.8")] });
    return [{ bytes: bare ? header(bytes) : bytes }];
  });
}

/** Treats queries with an OPT record (or with options in it) by another behaviour. */
export function toEdns(special: Behaviour, inner: Behaviour, { options = false } = {}): Behaviour {
  return (query, transport, arrival) => {
    const opt = optOf(query);
    const matches = opt !== undefined && (!options || opt.options.length > 0);
    return (matches ? special : inner)(query, transport, arrival);
  };
}

/** Treats queries with the DO bit by another behaviour. */
export function toDnssec(special: Behaviour, inner: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (optOf(query)?.flag_do === true ? special : inner)(query, transport, arrival);
}

/** Answers with a response code: whole, as a header alone, with OPT, or with the query's OPT back. */
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

/** Knows no EDNS and leaves OPT out of its answers. */
export function withoutEdns(delayMs = 1): Behaviour {
  return (query) => {
    const { name } = query.questions![0]!;
    const bytes = responseBytes(query, { answers: [a(name, "192.0.2.7")], edns: false });
    return [{ bytes, delayMs }];
  };
}

/** Repeats the question in lower case, whatever the query's. */
export function folding(inner: Behaviour): Behaviour {
  return (query, transport, arrival) => {
    const [question] = query.questions!;
    const folded = { ...query, questions: [{ ...question!, name: question!.name.toLowerCase() }] };
    return inner(folded, transport, arrival);
  };
}

/** A server without recursion that points to the root, or says nothing at all. */
export function lame(kind: "referral" | "empty"): Behaviour {
  return (query) => {
    const ns = { type: "NS", name: ".", ttl: 518400, data: "a.root-servers.test" } as const;
    const bytes = responseBytes(query, { authorities: kind === "referral" ? [ns] : [] });
    bytes[3]! &= 0x7f;
    return [{ bytes }];
  };
}

/** One behaviour for the first so many milliseconds of the simulation's clock, then another. */
export function changing(untilMs: number, before: Behaviour, after: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    (arrival!.nowMs < untilMs ? before : after)(query, transport, arrival);
}

/** What both send, in the order of their delays. */
export function both(first: Behaviour, second: Behaviour): Behaviour {
  return (query, transport, arrival) => [
    ...first(query, transport, arrival) as Sent,
    ...second(query, transport, arrival) as Sent,
  ];
}

/** How much of EDNS a query carries: "plain", "EDNS" or "options", and "DO" where it is set. */
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

/** The header alone, which says that nothing follows. */
function header(bytes: Uint8Array): Uint8Array {
  const bare = bytes.slice(0, 12);
  bare.fill(0, 4);
  return bare;
}

/** The message without its question, OPT kept. */
function withoutQuestion(bytes: Uint8Array, query: codec.DecodedPacket): Uint8Array {
  const nameSize = query.questions![0]!.name.length + 2;
  const whole = new Uint8Array([...bytes.slice(0, 12), ...bytes.slice(12 + nameSize + 4)]);
  whole[5] = 0;
  return whole;
}
