import type { Attack } from "../frame/attack.ts";
import { HTTP, PLACES } from "../frame/places.ts";
import { closedOf, type Socket } from "../frame/sockets.ts";

const METRICS = { address: PLACES.node, port: HTTP.metrics };
const HEALTH = { address: PLACES.dns, port: HTTP.health };
const HALF_SENT = 2_200;
const PIPELINED = 60;
const encoder = new TextEncoder();
const HALF = encoder.encode(`GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(1_000)}`);
const WHOLE = encoder.encode("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
const ODD = [
  "GET /metrics HTTP/1.1\r\nHost: :::[\r\n\r\n",
  "GET /metrics HTTP/1.1\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
  "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
  `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
].map((text) => encoder.encode(text));

/** Whether /health answers a well-behaved client, as for a probe of kubelet. */
export async function healthy(): Promise<boolean> {
  try {
    const response = await fetch(`http://${HEALTH.address}:${HEALTH.port}/health`, {
      signal: AbortSignal.timeout(2_000),
    });
    return (await response.text()) === "OK";
  } catch {
    return false;
  }
}

/** Status of a page; 0 without one. */
export async function statusOf(page: string): Promise<number> {
  try {
    const response = await fetch(`http://${METRICS.address}:${METRICS.port}${page}`, {
      signal: AbortSignal.timeout(2_000),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

export const httpHoarding: Attack = {
  name: "http-hoarding",
  summary: `${HALF_SENT} HTTP connections that send half a header, and again what is closed.`,
  setting: { files: 4_096 },
  async attack({ tcp, left, pause }) {
    let open: Socket[] = [];
    let opened = 0;
    let asked = 0;
    let failed = 0;
    while (left() > 0) {
      for (let i = 0; i < 100 && open.length < HALF_SENT; i++) {
        open.push(tcp({}, { to: opened++ % 2 === 0 ? METRICS : HEALTH }));
      }
      await pause(10);
      const gone = closedOf(open);
      gone.forEach((socket) => socket.close());
      open = open.filter((socket) => !gone.has(socket));
      for (const socket of open) if (Math.random() < 0.05) socket.send(HALF);
      if (opened < HALF_SENT || left() < 500) continue;
      asked++;
      if (!await healthy()) failed++;
    }
    return { opened, "health asked": asked, "health failed": failed };
  },
  judge: ({ facts }) => Number(facts["health failed"]) > 0 ? ["/health did not answer"] : [],
};

export const httpPipelining: Attack = {
  name: "http-pipelining",
  summary:
    `${PIPELINED} HTTP connections that pipeline GET /metrics and do not read; bad requests.`,
  async attack({ tcp, left, pause }) {
    let open: Socket[] = [];
    let opened = 0;
    while (left() > 0) {
      while (open.length < PIPELINED) {
        open.push(tcp({}, { to: METRICS, receiveBytes: 4_096 }));
        opened++;
      }
      await pause(20);
      const gone = closedOf(open);
      gone.forEach((socket) => socket.close());
      open = open.filter((socket) => !gone.has(socket));
      open.forEach((socket, i) => socket.send(i % 4 === 3 ? ODD[opened % ODD.length]! : WHOLE));
    }
    open.forEach((socket) => socket.reset());
    await new Promise((wake) => setTimeout(wake, 100));
    return {
      opened,
      "/health afterwards": String(await healthy()),
      "/status from outside": await statusOf("/status"),
      "/events from outside": await statusOf("/events"),
    };
  },
  judge: ({ facts }) => [
    ...(facts["/health afterwards"] === "true" ? [] : ["/health did not answer afterwards"]),
    ...["/status", "/events"].filter((path) => facts[`${path} from outside`] === 200)
      .map((path) => `${path} answers an address of the node`),
  ],
};
