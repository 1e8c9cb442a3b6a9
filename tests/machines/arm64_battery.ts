/** A complete nodens on arm64, queried by this machine's dig. */
import assert from "node:assert/strict";
import { eventually } from "../support/run/eventually.ts";
import { startUpstream } from "../support/processes/drivers.ts";
import { freePort } from "../support/servers/ports.ts";
import { decode, responseBytes } from "../support/messages/messages.ts";
import { type Answer, ask } from "../support/servers/ask.ts";
import { STARTED } from "../support/processes/nodens.ts";
import { startProcess } from "../support/processes/process.ts";
import type { Arm64 } from "./arm64.ts";

interface Row {
  readonly what: string;
  readonly server?: string;
  readonly name: string;
  readonly type?: string;
  readonly args?: readonly string[];
  readonly status?: string;
  readonly records?: number;
  readonly shows?: RegExp;
  /** Repeats the question: an emulated nodens may be too slow at first. */
  readonly patient?: boolean;
}

/** Ten seconds on an idle machine. */
const READY_WITHIN_MS = 600_000;
const MANY = 60;
const ROWS: readonly Row[] = [
  { what: "UDP", name: "www.example.org", records: 1, shows: /192\.0\.2\.1$/m },
  { what: "TCP", name: "www.example.org", args: ["+tcp"], records: 1 },
  { what: "IPv6", server: "::1", name: "www.example.org", records: 1 },
  { what: "IPv6 over TCP", server: "::1", name: "www.example.org", args: ["+tcp"], records: 1 },
  {
    what: "reply from the queried address",
    server: "127.0.0.9",
    name: "www.example.org",
    records: 1,
  },
  { what: "AAAA", name: "www.example.org", type: "AAAA", records: 1, shows: /2001:db8::1$/m },
  { what: "PTR", name: "1.2.0.192.in-addr.arpa", type: "PTR", records: 1 },
  { what: "mixed case", name: "wWw.eXample.ORG", records: 1, shows: /^wWw\.eXample\.ORG\./m },
  {
    what: "truncated for UDP",
    name: "many.example.org",
    args: ["+noedns", "+ignore"],
    shows: / tc /,
  },
  { what: "whole over TCP", name: "many.example.org", args: ["+noedns"], records: MANY },
  { what: "whole by EDNS", name: "many.example.org", args: ["+bufsize=4096"], records: MANY },
  { what: "forwarded", name: "up.example.net", records: 1, shows: /198\.51\.100\.7$/m },
  {
    what: "forwarded, truncated, over TCP",
    name: "long.example.net",
    type: "TXT",
    records: MANY,
    patient: true,
  },
  { what: "NXDOMAIN", name: "missing.example.net", status: "NXDOMAIN", records: 0 },
  { what: "another opcode", name: "example.org", args: ["+opcode=NOTIFY"], status: "NOTIMP" },
  { what: "another EDNS", name: "example.org", args: ["+edns=1", "+noednsneg"], status: "BADVERS" },
];

/** Queries a nodens with hosts, a cache and an upstream, and stops it. */
export async function askWithDig(arm64: Arm64, folder: string): Promise<void> {
  const port = freePort();
  const upstreamPort = freePort();
  const upstream = startUpstream(upstreamPort, upstreamAnswer);
  const many = Array.from({ length: MANY }, (_, i) => `203.0.113.${i + 1} many.example.org`);
  const corefile = `.:${port} {
  hosts /dev/null {
    192.0.2.1 www.example.org
    2001:db8::1 www.example.org
    ${many.join("\n    ")}
    fallthrough
  }
  cache
  errors
  forward . 127.0.0.1:${upstreamPort}
}`;
  Deno.writeTextFileSync(`${folder}/Corefile`, corefile);
  const flags = ["run", "-A", "main.ts", "-io", "linux", "-conf", `${folder}/Corefile`];
  const { command, ...options } = arm64.command(flags);
  const nodens = await startProcess(command, {
    ...options,
    cwd: new URL("../..", import.meta.url).pathname,
    ready: (output) => STARTED.test(output),
    readyWithinMs: READY_WITHIN_MS,
  });
  try {
    assert.match(nodens.output, /linux\/aarch64/);
    for (const row of ROWS) await checkRow(row, port);
    assert.ok(upstream.counts.tcp > 0, "the truncated answer came over TCP");
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${nodens.output}`, { cause: error });
  } finally {
    Deno.kill(nodens.pid, "SIGTERM");
    const { code } = await nodens.ended;
    await upstream.close();
    assert.equal(code, 0, nodens.output);
  }
}

async function checkRow(row: Row, port: number): Promise<void> {
  const { server = "127.0.0.1", name, type = "A", args = [] } = row;
  const attempt = async () =>
    check(row, await ask("dig", { server, port, name, type, args: ["+time=10", ...args] }));
  await (row.patient === true ? eventually(attempt) : attempt());
}

function check({ what, status = "NOERROR", records, shows }: Row, answer: Answer): void {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  if (records !== undefined) assert.equal(answer.answer.length, records, `${what}: ${answer.text}`);
  if (shows !== undefined) assert.match(answer.text, shows, what);
}

/** Answers of an upstream: an address, a text too long for UDP, or NXDOMAIN. */
function upstreamAnswer(bytes: Uint8Array, transport: "udp" | "tcp"): Uint8Array | null {
  const query = decode(bytes);
  const { name } = query.questions![0]!;
  if (name === "up.example.net") {
    return responseBytes(query, { answers: [{ type: "A", name, ttl: 60, data: "198.51.100.7" }] });
  }
  if (name !== "long.example.net") return responseBytes(query, { rcode: 3 });
  if (transport === "udp") return responseBytes(query, { truncated: true });
  const texts = Array.from({ length: MANY }, (_, i) => `${i}`.padEnd(100, "x"));
  const answers = texts.map((data) => ({ type: "TXT" as const, name, ttl: 60, data }));
  return responseBytes(query, { answers });
}
