/** Closed connections and sockets. */
import type { Attack, Facts, Hands } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import type { Socket } from "../frame/sockets.ts";
import {
  address,
  framed,
  join,
  query,
  questionOf,
  reply,
  text,
  truncated,
  TYPE,
  u32,
} from "../frame/wire.ts";

const MIDDLE_NAME = `middle.${EVIL_ZONES.udp}`;
const MIDDLE_BYTES = 4_000;
const LARGE_NAME = `large.${EVIL_ZONES.udp}`;
const LARGE_BYTES = 60_000;
/** The answer leaves in several writes: neither buffer holds it. */
const SMALL_WINDOW = 4_096;
const CONNECTIONS_A_SECOND = 3_000;
const AT_A_TIME = 3;
const QUERIES = 2;
const WARM_UP_MS = 200;
/** Closed at once, after the client's FIN, or during an answer. */
const WAYS = ["reset", "half-closed", "midway"] as const;

function abandoned(way: typeof WAYS[number], { tcp }: Hands): { leave: () => void } {
  const name = way === "midway" ? LARGE_NAME : MIDDLE_NAME;
  const one = framed(query(name, TYPE.TXT));
  const message = join(...Array.from({ length: QUERIES }, () => one));
  const socket: Socket = tcp({}, { receiveBytes: SMALL_WINDOW });
  return {
    leave() {
      socket.send(message);
      if (way === "half-closed") {
        socket.finish();
        socket.close();
        return;
      }
      if (way === "midway") socket.receive(1);
      socket.reset();
    },
  };
}

async function abandon(hands: Hands): Promise<Facts> {
  const { tcp, paced, pause } = hands;
  const first = tcp();
  await pause(WARM_UP_MS / 4);
  first.send(join(...[MIDDLE_NAME, LARGE_NAME].map((name) => framed(query(name, TYPE.TXT)))));
  await pause(WARM_UP_MS);
  const open: { leave: () => void }[] = [];
  const connections = await paced(CONNECTIONS_A_SECOND, (n) => {
    open.push(abandoned(WAYS[n % WAYS.length]!, hands));
    if (open.length > AT_A_TIME * WAYS.length) open.shift()!.leave();
  });
  for (const one of open) one.leave();
  return { connections };
}

export const abandonedConnections: Attack = {
  name: "tcp-abandoned",
  summary:
    "Connections that are reset, half-closed or left amid a large answer, three at a time each.",
  upstream: (message, transport) =>
    transport === "udp" ? truncated(message) : reply(message, {
      answers: [text(300, questionOf(message).name === LARGE_NAME ? LARGE_BYTES : MIDDLE_BYTES)],
    }),
  attack: abandon,
};
const BURST = 1_500;
const BURST_MS = 400;
/** Many clients, because each has a limit of waiting questions. */
const SOURCES = 32;
const HELD_MS = 600;
/** Time in which sockets are closed, at 64 a second. */
const SHRINK_SECONDS = 5;
/** Least number of exchanges released within two seconds after the burst. */
const GIVEN_UP = 128;

function socketsOf(pid: number): number {
  let count = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      if (Deno.readLinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:")) count++;
    } catch {
      // Closed meanwhile.
    }
  }
  return count;
}

export const upstreamBurst: Attack = {
  name: "upstream-burst",
  summary: `${BURST} names that take ${HELD_MS} ms, at once: as many sockets, which go again.`,
  minSeconds: SHRINK_SECONDS,
  upstream: (message) => ({
    delayMs: HELD_MS,
    message: reply(message, { answers: [address(5, u32(0x0a420001))] }),
  }),
  async attack({ udp, pause }) {
    const sockets = Array.from(
      { length: SOURCES },
      (_, n) => udp({ address: `10.244.9.${1 + n}` }),
    );
    for (let n = 0; n < BURST; n++) {
      sockets[n % SOURCES]!.send(query(`b${n}-${Deno.pid}.${EVIL_ZONES.udp}`));
      if (n % 50 === 49) await pause(BURST_MS * 50 / BURST);
    }
    return {};
  },
  async beside({ pid, seconds }) {
    const before = socketsOf(pid);
    const end = performance.now() + seconds * 1000;
    let most = before;
    let left = before;
    while (performance.now() < end) {
      await new Promise((wake) => setTimeout(wake, 50));
      left = socketsOf(pid);
      most = Math.max(most, left);
    }
    return { before, most, left };
  },
  judge({ facts }) {
    const [most, left, before] = [facts.most, facts.left, facts.before].map(Number);
    const faults = [];
    if (most! < before! + BURST / 2) {
      faults.push(`the burst opened ${most! - before!} sockets alone`);
    }
    if (left! > most! - GIVEN_UP) faults.push(`of ${most} sockets ${left} are still open`);
    return faults;
  },
};
