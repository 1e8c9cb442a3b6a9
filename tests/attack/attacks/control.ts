import type { Attack, Hands, Stage } from "../frame/attack.ts";
import { EVIL_ZONES, HTTP, PLACES } from "../frame/places.ts";
import { framed, join, query } from "../frame/wire.ts";
import { Socket } from "../frame/sockets.ts";
import { listeningPorts } from "../frame/listening.ts";

const SIGHUP = 1;
const SIGUSR1 = 10;
const INSPECTOR = 9229;
/** Kubernetes allows 30 s; nodens must need a fraction of it. */
const STOP_SECONDS = 10;

const pause = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));

export const reloadStorm: Attack = {
  name: "reload-storm",
  summary: "50 SIGHUPs a second, and as many Corefiles in turns with and without faults.",
  async beside({ signal, rewrite, corefile, seconds }: Stage) {
    const end = performance.now() + seconds * 1000;
    let reloads = 0;
    for (; performance.now() < end; reloads++) {
      const more = [`# ${reloads}\n`, "nonsense {\n", `x${reloads % 9}.test:53 {\n whoami\n}\n`];
      rewrite(corefile + more[reloads % more.length]);
      signal(SIGHUP);
      await pause(20);
    }
    rewrite(corefile);
    signal(SIGHUP);
    return { reloads };
  },
};

/** Mixed queries until nodens has ended. */
async function mixed({ tcp, udp, paced }: Hands): Promise<{ asked: number }> {
  const socket = udp();
  const pipelined = join(...Array.from({ length: 500 }, () => framed(query("h1.good.test"))));
  const streams = Array.from({ length: 200 }, () => tcp({}, { receiveBytes: 4_096 }));
  const half = new TextEncoder().encode("GET /metrics HTTP/1.1\r\nX: ");
  const metrics = { address: PLACES.node, port: HTTP.metrics };
  const http = Array.from({ length: 50 }, () => tcp({}, { to: metrics }));
  const asked = await paced(1_000, (n) => {
    socket.send(query(`x${n}-${Deno.pid}.${EVIL_ZONES.udp}`));
    streams[n % streams.length]!.send(pipelined);
    http[n % http.length]!.send(half);
  }, () => socket.drain());
  return { asked };
}

export const terminated: Attack = {
  name: "sigterm-under-attack",
  summary: "SIGTERM amid random subdomains, unread pipelining, half-sent HTTP and reloads.",
  upstream: () => null,
  attack: mixed,
  async beside({ seconds, signal, terminate }: Stage) {
    const end = performance.now() + seconds * 500;
    while (performance.now() < end) {
      signal(SIGHUP);
      await pause(100);
    }
    const { code, seconds: took } = await terminate();
    return { code, "stopped in s": Number(took.toFixed(1)) };
  },
  judge: ({ facts }) => [
    ...(facts.code === 0 ? [] : [`it ended with code ${facts.code}`]),
    ...(Number(facts["stopped in s"]) > STOP_SECONDS
      ? [`it took ${facts["stopped in s"]} s to stop`]
      : []),
  ],
};

/** Signals that end a process by default and are not tested here. */
const ALL_SIGNALS = Array.from({ length: 64 }, (_, i) => i + 1)
  .filter((signal) => ![9, 19, 32, 33].includes(signal)); // KILL, STOP; two are glibc's own
/** Signals that must not end nodens: reload, SIGPIPE, and those ignored by default. */
const HARMLESS = [SIGHUP, SIGUSR1, 13, 17, 18, 23, 28];
const AT_A_TIME = 4;
const LOOK_MS = 250;

async function inspectorAnswers(): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${INSPECTOR}/json`, {
      signal: AbortSignal.timeout(500),
    });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

export const signals: Attack = {
  name: "signals",
  summary: "Every signal to a nodens that serves, and SIGUSR1 while one starts: does a port open.",
  async beside({ pid, signal, another }: Stage) {
    const opened: string[] = [];
    const before = listeningPorts(pid);
    const look = async (name: string, process: number, known: ReadonlySet<number>) => {
      for (const end = performance.now() + LOOK_MS; performance.now() < end;) {
        await pause(50);
        for (const port of listeningPorts(process)) {
          if (!known.has(port)) opened.push(`${name}: ${port}`);
        }
        if (await inspectorAnswers()) opened.push(`${name}: /json of ${INSPECTOR}`);
      }
    };
    for (const number of HARMLESS) {
      signal(number);
      await look(`signal ${number}`, pid, before);
    }
    const rest = ALL_SIGNALS.filter((number) => !HARMLESS.includes(number));
    const corefile = (i: number) => `.:53 {\n bind 10.0.1.${i}\n whoami\n}\n`;
    for (let i = 0; i < rest.length; i += AT_A_TIME) {
      await Promise.all(
        rest.slice(i, i + AT_A_TIME).map(async (number, k) => {
          const one = another(corefile(k + 1));
          await one.until(() => listeningPorts(one.pid).size > 0, 5_000);
          new Deno.Command("kill", { args: [`-${number}`, String(one.pid)] }).outputSync();
          await look(`signal ${number}`, one.pid, new Set([53]));
          await one.kill();
        }),
      );
    }
    for (const ms of [0, 20, 40, 60, 80, 120, 160, 240]) {
      const one = another(corefile(9));
      await pause(ms);
      new Deno.Command("kill", { args: [`-${SIGUSR1}`, String(one.pid)] }).outputSync();
      await look(`SIGUSR1 after ${ms} ms`, one.pid, new Set([53]));
      await one.kill();
    }
    return { signals: ALL_SIGNALS.length, opened: [...new Set(opened)].join(" ") || "nothing" };
  },
  judge: ({ facts }) => facts.opened === "nothing" ? [] : [`ports opened: ${facts.opened}`],
};

export const socketTheft: Attack = {
  name: "socket-theft",
  summary: "uid 0 without capabilities asks for sockets, and binds beside nodens (SO_REUSEPORT).",
  setting: { withoutCapabilities: true },
  async attack({ left, pause }) {
    const dns = [PLACES.dns, PLACES.kubeDns].flatMap((address) =>
      (["udp", "tcp"] as const).map((transport) =>
        Socket.bindBeside({ address, port: 53 }, transport)
      )
    );
    const http = [
      Socket.bindBeside({ address: PLACES.node, port: HTTP.metrics }, "tcp"),
      Socket.bindBeside({ address: PLACES.dns, port: HTTP.health }, "tcp"),
    ];
    // An abstract socket is open to the whole network namespace.
    const abstract = Deno.readTextFileSync("/proc/net/unix").split("\n")
      .filter((line) => / @nodens/.test(line)).length;
    await pause(left());
    const count = (sockets: (Socket | null)[]) => sockets.filter((one) => one !== null).length;
    return { "DNS sockets": count(dns), "abstract names": abstract, "HTTP sockets": count(http) };
  },
  judge: ({ facts }) => [
    ...(facts["DNS sockets"] === 0
      ? []
      : [`${facts["DNS sockets"]} sockets of port 53 were bound`]),
    ...(facts["abstract names"] === 0 ? [] : ["nodens listens on an abstract socket"]),
  ],
};
