/**
 * nodens on arm64, emulated: what it tells the kernel and the C library by number and offset (FFI,
 * netlink), the contract of the linux driver, and a whole nodens that dig asks.
 *
 * What the emulator cannot do is named and said, with the reason.
 */
import assert from "node:assert/strict";
import { decode, responseBytes } from "../support/messages.ts";
import { freePort, startUpstream } from "../support/drivers.ts";
import { withFolder } from "../support/folder.ts";
import { type Answer, ask } from "../support/net_ask.ts";
import { STARTED } from "../support/net_nodens.ts";
import { startProcess } from "../support/net_process.ts";
import { skipFor } from "../support/net_require.ts";
import * as constants from "../../src/sys/constants.ts";
import { Arm64, arm64Reasons } from "./arm64.ts";
import { arm64Flags, assertAsInHeaders } from "./headers.ts";

const CONSTANTS = new URL("../../src/sys/constants.ts", import.meta.url).href;
const INTERFACE = new URL("../../src/host/interface.ts", import.meta.url).href;

/** Test files, of which tests, and which of them fail because of the emulator, with the reason. */
interface Suite {
  readonly files: readonly string[];
  readonly filter?: string;
  readonly fails: Readonly<Record<string, string>>;
}

/** What both drivers promise. The portable one calls nothing by number or offset. */
const CONTRACT: Suite = {
  files: ["tests/io/contract_test.ts"],
  filter: "/^linux: /",
  fails: {},
};
/** Whatever else goes to the kernel through FFI. */
const OTHERS: Suite = {
  files: [
    ...["linux_streams", "poller", "upstream_sockets"].map((name) => `tests/io/${name}_test.ts`),
    ...["descriptor_table", "kernel_file", "kernel_tree", "libc", "memory", "netlink"]
      .map((name) => `tests/sys/${name}_test.ts`),
    ...["rtnetlink", "sock_diag", "unix_datagram"].map((name) => `tests/sys/${name}_test.ts`),
  ],
  fails: {
    "open sockets are listed by port and state, and no others":
      "qemu-user has no netlink sockets of sock_diag, and no SO_COOKIE",
    "megabytes of the executable are given back, and it runs on":
      "what qemu-user runs can start no program for arm64",
  },
};
/** What is not tried at all, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "tests/io/steering_test.ts": "qemu-user has no SO_ATTACH_REUSEPORT_CBPF",
  "tests/node": "qemu-user has no SO_MARK, and starts no programs for arm64",
};
/** Some minutes on two busy cores; one on idle ones. */
const WITHIN_MS = 900_000;

Deno.test({
  name: "arm64",
  ...skipFor(arm64Reasons()),
  fn: (t) =>
    withFolder(async (folder) => {
      for (const [what, why] of Object.entries({ ...OTHERS.fails, ...LEFT_OUT })) {
        Deno.stdout.writeSync(new TextEncoder().encode(`not on arm64: ${what} (${why})\n`));
      }
      const arm64 = await Arm64.prepare(folder);
      // Beside all else, since it takes half of the time.
      const contract = runTests(arm64, CONTRACT).then(() => null, (error: Error) => error);
      await t.step(
        "numbers and layouts are those of the C headers, here and on arm64",
        async () => {
          await assertAsInHeaders(constants);
          const code = `import * as all from "${CONSTANTS}"; console.log(JSON.stringify(all));`;
          const { text } = await arm64.run(["eval", "--no-lock", code], WITHIN_MS);
          await assertAsInHeaders(JSON.parse(text), await arm64Flags(arm64.root));
        },
      );
      await t.step(
        "an interface is made, filled and removed by netlink",
        () => makeInterface(arm64),
      );
      await t.step("a whole nodens answers dig", () => askWithDig(arm64, folder));
      await t.step("the tests of FFI and netlink pass", () => runTests(arm64, OTHERS));
      await t.step("the linux driver keeps the drivers' contract", async () => {
        const error = await contract;
        if (error !== null) throw error;
      });
    }),
});

/** Runs tests; throws with what they said where others failed than those that must, or none ran. */
async function runTests(arm64: Arm64, { files, filter, fails }: Suite): Promise<void> {
  const options = ["--lock=dev.lock", "--frozen", "-A", "--no-check"];
  if (filter !== undefined) options.push(`--filter=${filter}`);
  const { text } = await arm64.run(["test", ...options, ...files], WITHIN_MS);
  const passed = Number(/^(?:ok|FAILED) \| (\d+) passed/m.exec(text)?.[1] ?? 0);
  const failed = [...text.matchAll(/^(\S.*) \.\.\. FAILED/gm)].map(([, name]) => name);
  assert.deepEqual(failed.sort(), Object.keys(fails).sort(), text);
  assert.ok(passed >= files.length, text);
}

/** The node's interface, in a network namespace of its own. */
async function makeInterface(arm64: Arm64): Promise<void> {
  const code = `
    import { NodeInterface } from "${INTERFACE}";
    const addresses = ["169.254.20.10", "fd00::10"];
    const options = { name: "nodens0", addresses, log: (_level, line) => console.log(line) };
    const made = new NodeInterface(options);
    made.ensure();
    console.log("again", made.ensure().changes.length);
    made.remove();
    console.log("removed", made.remove().length);`;
  const { text } = await arm64.run(["eval", "--no-lock", code], WITHIN_MS, ["unshare", "--net"]);
  assert.match(
    text,
    /made the link, .* added 169\.254\.20\.10\/32, added fd00::10\/128\nagain 0\n/,
  );
  assert.match(text, /removed the link, .*\nremoved 0\n$/);
}

/** A question to the emulated nodens, and what its answer must show. */
interface Row {
  readonly what: string;
  readonly server?: string;
  readonly name: string;
  readonly type?: string;
  readonly args?: readonly string[];
  readonly status?: string;
  /** Records in the answer section. */
  readonly records?: number;
  readonly shows?: RegExp;
}

const MANY = 60;
const ROWS: readonly Row[] = [
  { what: "UDP", name: "www.example.org", records: 1, shows: /192\.0\.2\.1$/m },
  { what: "TCP", name: "www.example.org", args: ["+tcp"], records: 1 },
  { what: "IPv6", server: "::1", name: "www.example.org", records: 1 },
  { what: "IPv6 over TCP", server: "::1", name: "www.example.org", args: ["+tcp"], records: 1 },
  { what: "the address that was asked", server: "127.0.0.9", name: "www.example.org", records: 1 },
  { what: "AAAA", name: "www.example.org", type: "AAAA", records: 1, shows: /2001:db8::1$/m },
  { what: "a name for an address", name: "1.2.0.192.in-addr.arpa", type: "PTR", records: 1 },
  { what: "mixed case", name: "wWw.eXample.ORG", records: 1, shows: /^wWw\.eXample\.ORG\./m },
  { what: "cut for UDP", name: "many.example.org", args: ["+noedns", "+ignore"], shows: / tc / },
  { what: "whole over TCP", name: "many.example.org", args: ["+noedns"], records: MANY },
  { what: "whole by EDNS", name: "many.example.org", args: ["+bufsize=4096"], records: MANY },
  { what: "forwarded", name: "up.example.net", records: 1, shows: /198\.51\.100\.7$/m },
  { what: "from the cache", name: "up.example.net", records: 1, shows: /198\.51\.100\.7$/m },
  { what: "forwarded, truncated, over TCP", name: "long.example.net", type: "TXT", records: MANY },
  { what: "no such name", name: "missing.example.net", status: "NXDOMAIN", records: 0 },
  { what: "another opcode", name: "example.org", args: ["+opcode=NOTIFY"], status: "NOTIMP" },
  { what: "another EDNS", name: "example.org", args: ["+edns=1", "+noednsneg"], status: "BADVERS" },
];

/** Asks a nodens with hosts, a cache and an upstream; then has it stop. */
async function askWithDig(arm64: Arm64, folder: string): Promise<void> {
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
    readyWithinMs: 120_000,
  });
  try {
    assert.match(nodens.output, /linux\/aarch64/);
    for (const row of ROWS) check(row, await askRow(row, port));
    assert.equal(upstream.counts.tcp > 0, true, "the truncated answer was had over TCP");
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${nodens.output}`, { cause: error });
  } finally {
    Deno.kill(nodens.pid, "SIGTERM");
    const { code } = await nodens.ended;
    await upstream.close();
    assert.equal(code, 0, nodens.output);
  }
}

function askRow({ server = "127.0.0.1", name, type = "A", args = [] }: Row, port: number) {
  return ask("dig", { server, port, name, type, args: ["+time=10", ...args] });
}

function check({ what, status = "NOERROR", records, shows }: Row, answer: Answer): void {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  if (records !== undefined) assert.equal(answer.answer.length, records, `${what}: ${answer.text}`);
  if (shows !== undefined) assert.match(answer.text, shows, what);
}

/** Answers of an upstream: an address, a text too long for UDP, or that there is no such name. */
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
