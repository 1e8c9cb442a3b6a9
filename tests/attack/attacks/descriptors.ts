import type { Attack } from "../frame/attack.ts";
import { EVIL_ZONES, HTTP, PLACES } from "../frame/places.ts";
import { closedOf, type Socket } from "../frame/sockets.ts";
import { address, query, reply, u32 } from "../frame/wire.ts";
import { healthy } from "./http.ts";

const METRICS = { address: PLACES.node, port: HTTP.metrics };
const HEALTH = { address: PLACES.dns, port: HTTP.health };
const BEYOND = 200;
const MISSES = 200;
const SLOW_MS = 500;
/** Connections per turn of some milliseconds. */
const OPENED_A_TURN = 10;
const FREE_PORTS = 20;
const FIRST_PORT = 40_000;

const slowly = (message: Uint8Array) => ({
  delayMs: SLOW_MS,
  message: reply(message, { answers: [address(5, u32(0x0a420001))] }),
});

/** Exhausts descriptors by idle DNS and HTTP connections, and by misses. */
export function outOfDescriptors(files: number): Attack {
  return {
    name: `descriptors-${files}`,
    summary: `A limit of ${files} files, and idle connections to DNS and HTTP beyond it.`,
    setting: { files },
    upstream: slowly,
    async attack({ tcp, udp, left, paced }) {
      let open: Socket[] = [];
      let opened = 0;
      let turn = 0;
      const socket = udp();
      await paced(
        MISSES,
        (n) => socket.send(query(`s${n}-${Deno.pid}.${EVIL_ZONES.udp}`)),
        () => {
          socket.drain();
          for (let i = 0; i < OPENED_A_TURN && open.length < files + BEYOND && left() > 0; i++) {
            const to = [METRICS, HEALTH][opened++ % 10];
            open.push(tcp({}, to === undefined ? {} : { to }));
          }
          if (turn++ % 10 !== 0) return;
          const gone = closedOf(open);
          gone.forEach((socket) => socket.close());
          open = open.filter((socket) => !gone.has(socket));
        },
      );
      const well = await healthy();
      return { opened, open: open.length, "/health": String(well) };
    },
    judge: ({ facts }) => facts["/health"] === "true" ? [] : ["/health did not answer"],
  };
}

export const outOfPorts: Attack = {
  name: "ports",
  summary:
    `${FREE_PORTS} free ports, and ${MISSES} names a second of a zone that takes ${SLOW_MS} ms.`,
  setting: { ports: [FIRST_PORT, FIRST_PORT + FREE_PORTS - 1] },
  upstream: slowly,
  async attack({ udp, paced }) {
    const socket = udp({ port: 5_353 });
    let answered = 0;
    const asked = await paced(
      MISSES,
      (n) => socket.send(query(`s${n}-${Deno.pid}.${EVIL_ZONES.udp}`)),
      () => answered += socket.drain().count,
    );
    return { asked, answered };
  },
};
