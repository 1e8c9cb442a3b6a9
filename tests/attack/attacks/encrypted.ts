import type { Attack, Hands } from "../frame/attack.ts";
import { EVIL_ZONES, PLACES } from "../frame/places.ts";
import { overTls, pour, serveTls, TLS_PORT } from "../frame/tls.ts";
import {
  address,
  framed,
  join,
  QNAME,
  query,
  questionOf,
  readdressed,
  record,
  reply,
  truncated,
  TYPE,
  u32,
} from "../frame/wire.ts";

const RATE = 300;
const PIECE_BYTES = 65_536;
const MIB = 2 ** 20;
const HOSTILE_DOT = `tls://${PLACES.attacker}:${TLS_PORT.dot}`;

function ask({ udp, paced }: Hands): Promise<number> {
  const socket = udp();
  return paced(
    RATE,
    (n) => socket.send(query(`e${String(n).padStart(5, "0")}.${EVIL_ZONES.udp}`)),
    () => socket.drain(),
  );
}

function repeated(one: Uint8Array): Uint8Array {
  return join(...Array.from({ length: Math.ceil(PIECE_BYTES / one.length) }, () => one));
}

/** An answer to a question that nodens did not ask. */
const UNASKED = framed(
  reply(query(`unasked.${EVIL_ZONES.udp}`), {
    answers: [address(60, Uint8Array.of(10, 66, 0, 1))],
  }),
);

export const unaskedAnswers: Attack = {
  name: "dot-unasked",
  summary: "A server over TLS sends answers that nobody asked for, as fast as they are taken.",
  setting: { tls: true, corefile: overTls(EVIL_ZONES.udp, HOSTILE_DOT) },
  async attack(hands) {
    let connections = 0;
    let sent = 0;
    const bytes = repeated(UNASKED);
    serveTls(TLS_PORT.dot, (socket) => {
      connections++;
      socket.resume();
      pour(socket, bytes, (size) => sent += size);
    });
    const asked = await ask(hands);
    return { asked, connections, "sent in MiB": Math.round(sent / MIB) };
  },
  judge: ({ facts, counted }) => [
    ...(Number(facts.connections) > 0 ? [] : ["nodens never connected"]),
    ...((counted.nodens_upstream_unexpected_replies_total ?? 0) > 0 ? [] : ["nothing was counted"]),
  ],
};

const LONG = 60_000;
let made: Uint8Array | null = null;

export const longAnswers: Attack = {
  name: "dot-long-answers",
  summary: `${RATE} answers a second of 60 kB come from an honest server over TLS.`,
  setting: { tls: true, corefile: overTls(EVIL_ZONES.udp, `tls://${PLACES.upstream}`) },
  upstream(message, transport) {
    if (transport === "udp") return truncated(message);
    if (made === null || questionOf(made).end !== questionOf(message).end) {
      const answers = Array.from(
        { length: LONG / 1_000 },
        () => record(QNAME, TYPE.UNKNOWN, 600, new Uint8Array(1_000)),
      );
      made = reply(message, { answers });
    }
    return readdressed(made, message);
  },
  attack: async (hands) => ({ asked: await ask(hands) }),
};

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const length = u32(payload.length).subarray(1);
  return join(length, type, flags, u32(stream), payload);
}

const NOTHING = new Uint8Array();
const SETTINGS = frame(4, 0, 0, NOTHING);
/** Status 200 and the content type. */
const HEADERS = join(
  0x88,
  join(0x0f, 0x10, 23, new TextEncoder().encode("application/dns-message")),
);
const OPEN = frame(1, 4, 1, HEADERS);

/** Ways to send much without content: the first octets, and the repeated ones. */
const FRAMES: Readonly<Record<string, readonly [first: Uint8Array, again: Uint8Array]>> = {
  "one-octet DATA": [OPEN, frame(0, 0, 1, Uint8Array.of(0))],
  "empty DATA": [OPEN, frame(0, 0, 1, NOTHING)],
  "DATA of no stream": [NOTHING, frame(0, 0, 99, new Uint8Array(1_000))],
  "empty CONTINUATION": [frame(1, 0, 1, HEADERS), frame(9, 0, 1, NOTHING)],
  "long CONTINUATION": [frame(1, 0, 1, HEADERS), frame(9, 0, 1, new Uint8Array(16_000).fill(0x88))],
  "Huffman strings": [
    NOTHING,
    frame(
      1,
      4,
      1,
      join(
        0x88,
        ...Array.from(
          { length: 120 },
          () => join(0x00, 0x81, 0x3f, 0xe4, join(...Array(100).fill(0x29))),
        ),
      ),
    ),
  ],
  "RST_STREAM": [NOTHING, frame(3, 0, 1, u32(1))],
  "WINDOW_UPDATE": [NOTHING, frame(8, 0, 0, u32(1))],
  "SETTINGS": [NOTHING, SETTINGS],
  "PING": [NOTHING, frame(6, 0, 0, new Uint8Array(8))],
  "unknown types": [NOTHING, frame(0xbe, 0, 7, NOTHING)],
  "header table": [NOTHING, frame(1, 4, 1, join(...Array(16_000).fill(0x20)))],
};

/** Octets of a client's preface, with the acknowledgement of settings. */
const PREFACE_BYTES = 110;
const WAYS = Object.values(FRAMES);
/** One server each, because nodens avoids a server after a disconnect. */
const HOSTILE_HTTPS = WAYS.map((_, i) => `https://${PLACES.attacker}:${TLS_PORT.https + i}`)
  .join(" ");

export const http2Frames: Attack = {
  name: "https-frames",
  summary: `${WAYS.length} servers send HTTP/2 frames that carry nothing, each in its own way.`,
  minSeconds: 4,
  setting: { tls: true, corefile: overTls(EVIL_ZONES.udp, HOSTILE_HTTPS) },
  async attack(hands) {
    const met = new Set<number>();
    let sent = 0;
    WAYS.forEach(([first, again], way) =>
      serveTls(TLS_PORT.https + way, (socket) => {
        socket.write(SETTINGS);
        let octets = 0;
        socket.on("data", ({ length }: Uint8Array) => {
          // More octets than the preface show a request.
          const before = octets;
          octets += length;
          if (before >= PREFACE_BYTES || octets < PREFACE_BYTES) return;
          met.add(way);
          socket.write(first);
          pour(socket, repeated(again), (size) => sent += size);
        });
      })
    );
    const asked = await ask(hands);
    return { asked, "ways tried": met.size, "sent in MiB": Math.round(sent / MIB) };
  },
  judge: ({ facts, counted }) => [
    ...(facts["ways tried"] === WAYS.length ? [] : [`only ${facts["ways tried"]} ways were tried`]),
    ...((counted.nodens_tls_streams_closed_total ?? 0) > 0 ? [] : ["nothing was counted"]),
  ],
};

/** Each attempt is two connections, and attempts are limited. */
const MOST_CONNECTIONS = 100;

export const wrongCertificate: Attack = {
  name: "tls-wrong-certificate",
  summary: `${RATE} questions a second for a server whose certificate is somebody else's.`,
  setting: { tls: true, corefile: overTls(EVIL_ZONES.udp, HOSTILE_DOT) },
  async attack(hands) {
    let connections = 0;
    serveTls(TLS_PORT.dot, () => {}, { ofAnother: true, met: () => connections++ });
    return { asked: await ask(hands), connections };
  },
  judge: ({ facts }) =>
    Number(facts.connections) > 0 && Number(facts.connections) <= MOST_CONNECTIONS
      ? []
      : [`${facts.connections} connections to a server that is refused`],
};
