/**
 * Misses over TCP and TLS to a server that answers a connection's queries in order, like CoreDNS:
 * nodens, nodens with a connection per query (like node-cache), and unbound. dnsperf asks each name
 * once at a fixed rate.
 *
 *     deno run -A bench/connections.ts [--seconds 10] [--rate 300]
 *
 * Requires dnsperf, go with the library miekg/dns, and openssl.
 */
import { parseArgs } from "node:util";
import { type Authority, makeAuthority } from "../tests/support/servers/certificates.ts";
import { type ClusterServer, startCluster } from "../tests/support/servers/cluster_server.ts";
import { startForwarder } from "../tests/support/servers/forwarders.ts";
import { goReasons } from "../tests/support/servers/go_program.ts";
import { have } from "../tests/support/run/require.ts";
import { startNodens } from "../tests/support/processes/nodens.ts";
import { note, print } from "./output.ts";

/** Clock ticks per second in /proc/PID/stat. */
const TICKS = 100;
/** Allows a connection per query. */
const UNBOUNDED = 4096;
/** As many as nodens opens over TCP; unbound's default is 10. */
const UNBOUND_CONNECTIONS = 64;
/** Percentage of slow names. */
const SLOW_PERCENT = 10;

type Transport = "TCP" | "TLS";

/** Delay of a name, by its number. */
const DELAYS: Readonly<Record<string, (i: number) => number>> = {
  "10 ms": () => 10,
  "100 ms": () => 100,
  "10 ms, 10 % 1 s": (i) => i % (100 / SLOW_PERCENT) === 0 ? 1000 : 10,
};

interface Running {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<unknown>;
}

interface Subject {
  readonly name: string;
  start(transport: Transport, upstream: ClusterServer, authority: Authority): Promise<Running>;
}

interface Figures {
  answered: number;
  asked: number;
  p50Ms: number;
  p99Ms: number;
  connections: number;
  cpuUs: number;
}

const SUBJECTS: readonly Subject[] = [
  nodens("nodens", ""),
  nodens("one query a connection", `max_conns ${UNBOUNDED}`),
  { name: "unbound", start: startUnbound },
];

function nodens(name: string, options: string): Subject {
  return {
    name,
    start(transport, upstream, authority) {
      const [to, how] = transport === "TCP" ? [`127.0.0.1:${upstream.port}`, "force_tcp"] : [
        `tls://127.0.0.1:${upstream.tlsPort}`,
        `tls ${authority.caFile}\n    tls_servername dns.example.org`,
      ];
      return startNodens({
        corefile: (port) =>
          `.:${port} {\n  bind 127.0.0.1\n  errors\n  cache\n  forward . ${to} {
    ${how}
    ${options}
  }\n}\n`,
      });
    },
  };
}

async function startUnbound(
  transport: Transport,
  upstream: ClusterServer,
  authority: Authority,
): Promise<Running> {
  const server = `server:\n  outgoing-num-tcp: ${UNBOUND_CONNECTIONS}\n`;
  const edit = (text: string) =>
    transport === "TCP" ? `${text}${server}  tcp-upstream: yes\n` : `${
      text.replace(
        `@${upstream.port}`,
        `@${upstream.tlsPort}#dns.example.org\n  forward-tls-upstream: yes`,
      )
    }${server}  tls-cert-bundle: "${authority.caFile}"\n`;
  const { port, pid, stop } = await startForwarder("unbound", upstream.port, { edit });
  return { port, pid: pid!, stop };
}

async function measure(
  subject: Subject,
  load: { transport: Transport; delay: string; seconds: number; rate: number },
  authority: Authority,
): Promise<Figures> {
  const { transport, delay, seconds, rate } = load;
  const certificate = authority.issue("DNS:dns.example.org");
  const upstream = await startCluster(certificate);
  const names = await Deno.makeTempFile({ prefix: "nodens_names_" });
  try {
    const server = await subject.start(transport, upstream, authority);
    try {
      const asked = seconds * rate;
      const delayOf = DELAYS[delay]!;
      const lines = Array.from({ length: asked }, (_, i) => `d${delayOf(i)}.q${i}.example.org A\n`);
      await Deno.writeTextFile(names, lines.join(""));
      const before = (await upstream.counts()).accepted;
      const cpuBefore = cpuSeconds(server.pid);
      const { stdout } = await new Deno.Command("dnsperf", {
        args: [
          ...["-s", "127.0.0.1", "-p", `${server.port}`, "-d", names, "-n", "1", "-v"],
          ...["-Q", `${rate}`, "-q", `${asked}`, "-t", "6"],
        ],
      }).output();
      const cpuUs = (cpuSeconds(server.pid) - cpuBefore) / asked * 1e6;
      const times = [...new TextDecoder().decode(stdout).matchAll(/^> NOERROR \S+ A ([\d.]+)$/gm)]
        .map(([, time]) => Number(time) * 1000).sort((a, b) => a - b);
      const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? NaN;
      return {
        answered: times.length,
        asked,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        connections: (await upstream.counts()).accepted - before,
        cpuUs,
      };
    } finally {
      await server.stop();
    }
  } finally {
    await upstream.stop();
    await Deno.remove(names);
  }
}

function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "10" },
      rate: { type: "string", default: "300" },
    },
  });
  const [seconds, rate] = [Number(values.seconds), Number(values.rate)];
  const lacks = [
    ...goReasons(),
    ...["dnsperf", "openssl"].filter((name) => !have(name)).map((name) => `${name} is missing`),
  ];
  if (lacks.length > 0) {
    note(`Cannot measure: ${lacks.join(", ")}`);
    Deno.exit(1);
  }
  const subjects = SUBJECTS.filter(({ name }) => {
    const there = name !== "unbound" || have("unbound");
    if (!there) note("SKIPPED: unbound is missing");
    return there;
  });
  print(`${rate} misses a second for ${seconds} s\n`);
  print("| names take | over | server | answered | p50, ms | p99, ms | connections | CPU, µs |");
  print("| --- | --- | --- | --: | --: | --: | --: | --: |");
  const authority = makeAuthority();
  try {
    for (const delay of Object.keys(DELAYS)) {
      for (const transport of ["TCP", "TLS"] as const) {
        for (const subject of subjects) {
          const load = { transport, delay, seconds, rate };
          const figures = await measure(subject, load, authority);
          const { answered, asked, p50Ms, p99Ms, connections, cpuUs } = figures;
          print(`| ${
            [
              ...[delay, transport, subject.name, `${(answered / asked * 100).toFixed(2)} %`],
              ...[p50Ms.toFixed(1), p99Ms.toFixed(1), connections, Math.round(cpuUs)],
            ].join(" | ")
          } |`);
        }
      }
    }
  } finally {
    authority.remove();
  }
}
