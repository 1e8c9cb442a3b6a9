/**
 * Cost of a miss over plain UDP, DNS over TLS and DNS over HTTPS to a local named: CPU of nodens
 * (all threads) and latency measured by dnsperf.
 *
 *     deno run -A bench/encrypted.ts [QUERIES]
 */
import { createSocket } from "node:dgram";
import { makeAuthority } from "../tests/support/servers/certificates.ts";
import { queryBytes } from "../tests/support/messages/messages.ts";
import { startNodens } from "../tests/support/processes/nodens.ts";
import { startNamed } from "../tests/support/servers/named.ts";
import { freePort } from "../tests/support/servers/ports.ts";

const queries = Number(Deno.args[0] ?? 50_000);
/** Clock ticks per second in /proc/PID/stat. */
const TICKS = 100;
const OUTSTANDING = 50;

const authority = makeAuthority();
const certificate = authority.issue("DNS:dns.example.org");
const [tlsPort, httpsPort] = [await freePort(), await freePort()];
const named = await startNamed({
  global: `tls leaf { cert-file "${certificate.certFile}"; key-file "${certificate.keyFile}"; };`,
  statements: `recursion yes; dnssec-validation no;
  listen-on port ${tlsPort} tls leaf { 127.0.0.1; };
  listen-on port ${httpsPort} tls leaf http default { 127.0.0.1; };`,
});
const tls = `tls ${authority.caFile}\n    tls_servername dns.example.org`;
const rows = [
  { title: "UDP", to: `127.0.0.1:${named.port}`, options: "" },
  { title: "TCP", to: `127.0.0.1:${named.port}`, options: "force_tcp" },
  { title: "TLS", to: `tls://127.0.0.1:${tlsPort}`, options: tls },
  { title: "HTTPS, POST", to: `https://127.0.0.1:${httpsPort}`, options: tls },
  {
    title: "HTTPS, GET",
    to: `https://127.0.0.1:${httpsPort}`,
    options: `${tls}\n    doh_method GET`,
  },
];

function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function residentMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
}

async function perf(
  port: number,
  names: { prefix: string; count: number },
): Promise<string> {
  const file = await Deno.makeTempFile();
  const lines = Array.from(
    { length: names.count },
    (_, i) => `${names.prefix}${i}.wild.example.org A`,
  );
  await Deno.writeTextFile(file, lines.join("\n"));
  const { stdout } = await new Deno.Command("dnsperf", {
    args: ["-s", "127.0.0.1", "-p", `${port}`, "-d", file, "-n", "1", "-q", `${OUTSTANDING}`],
  }).output();
  await Deno.remove(file);
  return new TextDecoder().decode(stdout);
}

/** Median latency of sequential queries in microseconds. */
async function askInTurn(port: number, count: number): Promise<number> {
  const socket = createSocket("udp4");
  const times: number[] = [];
  for (let id = 0; id < count; id++) {
    const startMs = performance.now();
    socket.send(queryBytes({ name: `alone${id}.wild.example.org`, id }), port, "127.0.0.1");
    await new Promise((resolve) => socket.once("message", resolve));
    times.push(performance.now() - startMs);
  }
  socket.close();
  return Math.round(times.sort((x, y) => x - y)[count >> 1]! * 1000);
}

const out = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
out(`${queries} misses, ${OUTSTANDING} at a time`);
for (const { title, to, options } of rows) {
  const nodens = await startNodens({
    corefile: (port) =>
      `.:${port} {\n  bind 127.0.0.1\n  cache\n  forward . ${to} {\n    ${options}\n  }\n}\n`,
  });
  await perf(nodens.port, { prefix: "warm", count: 10_000 });
  const before = cpuSeconds(nodens.pid);
  const text = await perf(nodens.port, { prefix: "n", count: queries });
  const cpuUs = (cpuSeconds(nodens.pid) - before) / queries * 1e6;
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? NaN);
  const aloneUs = await askInTurn(nodens.port, 1000);
  const latencyUs = Math.round(number(/Average Latency \(s\):\s+([\d.]+)/) * 1e6);
  out([
    title.padEnd(12),
    `${cpuUs.toFixed(1)} us CPU`,
    `${latencyUs} us latency, ${aloneUs} one at a time`,
    `${Math.round(number(/Queries per second:\s+([\d.]+)/))} queries/s`,
    `${number(/Queries lost:\s+(\d+)/)} lost`,
    `${residentMb(nodens.pid)} MB resident`,
  ].join("  "));
  await nodens.stop();
}
await named.stop();
authority.remove();
