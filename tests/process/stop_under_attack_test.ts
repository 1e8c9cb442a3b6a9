/** SIGTERM under attack: nodens exits with code 0 within the grace time. */
import assert from "node:assert/strict";
import { freePort } from "../support/servers/ports.ts";
import { queryBytes } from "../support/messages/messages.ts";
import { startNodens } from "../support/processes/nodens.ts";
import { frame } from "../support/simulation/simulation.ts";
import { driversHere } from "../support/run/require.ts";

const GRACE_MS = 30_000;
/** Messages per burst; pauses let others run on a shared machine. */
const BURST = 200;
const PAUSE_MS = 5;

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

interface Target {
  port: number;
  http: number;
  pid: number;
  ended: () => boolean;
}

async function connect(port: number, to: Deno.Conn[]): Promise<Deno.Conn | null> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
  if (connection !== null) to.push(connection);
  return connection;
}

const hit = queryBytes({ name: "www.example.org" });
const miss = (n: number) => queryBytes({ name: `n${n}.example.net` });

/** Attacks by name; each continues until nodens has ended. */
const ATTACKS: Record<string, (target: Target) => Promise<void>> = {
  async "datagrams, hits and misses"({ port, ended }) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
    for (let n = 0; !ended(); n++) {
      await socket.send(n % 2 === 0 ? hit : miss(n), to).catch(() => {});
      if (n % BURST === 0) await pause(PAUSE_MS);
    }
    socket.close();
  },
  async "streams that do not read answers"({ port, ended }) {
    const batch = new Uint8Array(BURST * (hit.length + 2));
    for (let i = 0; i < BURST; i++) batch.set(frame(hit), i * (hit.length + 2));
    const connections: Deno.Conn[] = [];
    while (!ended()) {
      if (connections.length < 50) await connect(port, connections);
      for (const connection of connections) void connection.write(batch).catch(() => {});
      await pause(10 * PAUSE_MS);
    }
    for (const connection of connections) connection.close();
  },
  async "streams with slow queries that no upstream answers"({ port, ended }) {
    const connections: Deno.Conn[] = [];
    for (let n = 0; !ended(); n++) {
      if (connections.length < 50) await connect(port, connections);
      const whole = frame(miss(n));
      const half = n % 3 === 0 ? whole.subarray(0, 7) : whole;
      void connections[n % connections.length]?.write(half).catch(() => {});
      await pause(PAUSE_MS);
    }
    for (const connection of connections) connection.close();
  },
  async "finished and unfinished HTTP requests"({ http, ended }) {
    const connections: Deno.Conn[] = [];
    const text = (part: string) => new TextEncoder().encode(part);
    for (let n = 0; !ended(); n++) {
      if (connections.length < 60) {
        const connection = await connect(http, connections);
        const end = n % 2 === 0 ? "" : "\r\n";
        const request = text(`GET /metrics HTTP/1.1\r\nHost: localhost\r\n${end}`);
        void connection?.write(request).catch(() => {});
      }
      void connections[n % connections.length]?.write(text("X: y\r\n")).catch(() => {});
      await pause(PAUSE_MS);
    }
    for (const connection of connections) connection.close();
  },
  async "endless reloads"({ pid, ended }) {
    for (let n = 0; !ended(); n++) {
      try {
        Deno.kill(pid, n % 2 === 0 ? "SIGHUP" : "SIGUSR1");
      } catch {
        // It has ended.
      }
      await pause(PAUSE_MS);
    }
  },
};

const ALL = Object.keys(ATTACKS);
for (const io of driversHere()) {
  for (const names of [...io === "linux" ? ALL.map((name) => [name]) : [], ALL]) {
    const what = names.length === 1 ? names[0] : "all at once";
    Deno.test(`${io}: SIGTERM under attack: ${what}`, async () => {
      const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const upstream = (silent.addr as Deno.NetAddr).port;
      const http = freePort();
      const nodens = await startNodens({
        corefile: (port) =>
          `.:${port} {
            bind 127.0.0.1
            errors
            cache
            hosts {
              192.0.2.1 www.example.org
              fallthrough
            }
            forward . 127.0.0.1:${upstream}
            prometheus 127.0.0.1:${http}
          }\n`,
        args: ["-io", io],
      });
      let over = false;
      const ended = () => over;
      const target: Target = { port: nodens.port, http, pid: nodens.pid, ended };
      const attacks = names.map((name) => ATTACKS[name]!(target));
      await pause(500);
      Deno.kill(nodens.pid, "SIGTERM");
      const timer = setTimeout(() => Deno.kill(nodens.pid, "SIGKILL"), GRACE_MS);
      const status = await nodens.ended;
      clearTimeout(timer);
      over = true;
      await nodens.stop();
      await Promise.all(attacks);
      silent.close();
      assert.deepEqual([status.code, status.signal], [0, null], nodens.output.slice(-2000));
    });
  }
}
