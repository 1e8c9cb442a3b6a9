import type { Attack, Hands } from "../frame/attack.ts";
import { EVIL_ZONES, PLACES } from "../frame/places.ts";
import { closedOf, type Socket } from "../frame/sockets.ts";
import { framed, join, query, reply, text, truncated, TYPE } from "../frame/wire.ts";

const BIG_NAME = `big.${EVIL_ZONES.udp}`;
const BIG_BYTES = 4_000;
const PIPELINE_BYTES = 65_000;
const SMALL_WINDOW = 4_096;

const UNREAD_CONNECTIONS = 1_000;
const HOARDED_CONNECTIONS = 5_000;
const SHORT_CONNECTIONS = 33_500;
const SHORT_AT_A_TIME = 3;
const SHORT_QUERIES = 2;
const OPENED_A_TURN = 20;
/** Source addresses of a distributed attacker. */
const MANY_SOURCES = 32;

function bigAnswer(message: Uint8Array, transport: "udp" | "tcp"): Uint8Array {
  return transport === "udp"
    ? truncated(message)
    : reply(message, { answers: [text(300, BIG_BYTES)] });
}

/** Opens connections that read their answers one octet at a time. */
async function pipelineUnread(
  { tcp, left, pause }: Hands,
  sourceOf: (n: number) => string,
): Promise<{ connections: number; closed: number }> {
  const one = framed(query(BIG_NAME, TYPE.TXT));
  const load = join(...Array.from({ length: Math.floor(PIPELINE_BYTES / one.length) }, () => one));
  const first = tcp();
  await pause(20);
  first.send(one); // caches the answer
  await pause(150);
  let open: Socket[] = [];
  let closed = 0;
  while (left() > 0) {
    for (let i = 0; i < OPENED_A_TURN && open.length < UNREAD_CONNECTIONS; i++) {
      open.push(tcp({ address: sourceOf(open.length) }, { receiveBytes: SMALL_WINDOW }));
    }
    await pause(10);
    const gone = closedOf(open);
    closed += gone.size;
    gone.forEach((socket) => socket.close());
    open = open.filter((socket) => !gone.has(socket));
    for (const socket of open) socket.send(load);
    if (open.length < UNREAD_CONNECTIONS) continue;
    await pause(250);
    for (const socket of open) socket.receive(1);
  }
  return { connections: open.length + closed, closed };
}

export const unreadTcp: Attack = {
  name: "tcp-unread",
  summary:
    `${UNREAD_CONNECTIONS} connections that pipeline for 4 KB answers and read an octet at times.`,
  upstream: bigAnswer,
  attack: (hands) => pipelineUnread(hands, () => PLACES.attacker),
};

export const unreadTcpFromMany: Attack = {
  name: "tcp-unread-many",
  summary: `The same from ${MANY_SOURCES} addresses.`,
  upstream: bigAnswer,
  attack: (hands) => pipelineUnread(hands, (n) => `10.244.8.${1 + n % MANY_SOURCES}`),
};

export const connectionHoarding: Attack = {
  name: "connection-hoarding",
  summary: `One client opens ${HOARDED_CONNECTIONS} connections, and again what is closed.`,
  async attack({ tcp, left, pause }) {
    let open: Socket[] = [];
    let opened = 0;
    let closed = 0;
    const half = framed(query(BIG_NAME)).subarray(0, 9);
    while (left() > 0) {
      for (let i = 0; i < OPENED_A_TURN && open.length < HOARDED_CONNECTIONS; i++) {
        open.push(tcp());
        opened++;
      }
      await pause(5);
      const gone = closedOf(open);
      closed += gone.size;
      gone.forEach((socket) => socket.close());
      open = open.filter((socket) => !gone.has(socket));
      for (let i = opened % 7; i < open.length; i += 7) {
        if (Math.random() < 0.02) open[i]!.send(half);
      }
    }
    return { opened, closed, open: open.length };
  },
};

export const shortConnections: Attack = {
  name: "tcp-resets",
  summary:
    `${SHORT_CONNECTIONS} connections, ${SHORT_AT_A_TIME} at a time: ${SHORT_QUERIES} queries, and ` +
    "a reset before an answer is read.",
  minSeconds: 4,
  async attack({ tcp, paced, seconds }) {
    const one = framed(query("h1.good.test"));
    const message = join(...Array.from({ length: SHORT_QUERIES }, () => one));
    const open: Socket[] = [];
    const close = () => {
      const socket = open.shift()!;
      socket.send(message);
      socket.reset();
    };
    const connections = await paced(SHORT_CONNECTIONS / seconds, () => {
      open.push(tcp());
      if (open.length > SHORT_AT_A_TIME) close();
    });
    while (open.length > 0) close();
    return { connections };
  },
};

export const slowSenders: Attack = {
  name: "tcp-slow-senders",
  summary: "1,000 connections that send an octet at a time, frames of length 0 and of 65,535.",
  async attack({ tcp, left, pause }) {
    const message = framed(query("h1.good.test"));
    const starts = [message, Uint8Array.of(0, 0), Uint8Array.of(0xff, 0xff)];
    let open: { socket: Socket; bytes: Uint8Array; at: number }[] = [];
    let opened = 0;
    while (left() > 0) {
      for (let i = 0; i < 100 && open.length < 1_000; i++) {
        open.push({ socket: tcp(), bytes: starts[opened++ % starts.length]!, at: 0 });
      }
      await pause(100);
      const gone = closedOf(open.map(({ socket }) => socket));
      gone.forEach((socket) => socket.close());
      open = open.filter(({ socket }) => !gone.has(socket));
      for (const one of open) {
        one.socket.send(Uint8Array.of(one.bytes[one.at++ % one.bytes.length]!));
      }
    }
    return { opened, open: open.length };
  },
};
