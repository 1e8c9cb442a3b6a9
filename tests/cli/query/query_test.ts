import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
// @ts-types="@types/dns-packet"
import { type Answer, decode, encode, type Packet } from "dns-packet";
import { QUERY_EXIT, run } from "../../../src/cli/query/query.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { type Script, ScriptedServer } from "../../support/simulation/scripted_server.ts";

const A: Answer = { type: "A", name: "www.example.org", ttl: 300, data: "192.0.2.1" };

function answer(query: Uint8Array, parts: Packet): Uint8Array {
  const { id, questions } = decode(Buffer.from(query));
  return encode({ type: "response", id: id!, questions: questions!, flags: 0x180, ...parts });
}

async function query(args: string, script: Script, options: Parameters<typeof run>[2] = {}) {
  const server = await ScriptedServer.start(script);
  const where = options.resolvConf === undefined ? ["@127.0.0.1"] : [];
  try {
    const words = [...args.split(" "), ...where, "-p", String(server.port)];
    const { code, out, err } = await callCommand(
      "query",
      words,
      (call, io) => run(call, io, options),
    );
    return { code, out: out.replaceAll(String(server.port), "PORT"), err };
  } finally {
    await server.stop();
  }
}

Deno.test("query prints a response in dig's layout", async () => {
  const { code, out, err } = await query("www.example.org AAAA +dnssec", (message) => [
    answer(message, {
      flags: 0x5a0,
      answers: [
        { type: "CNAME", name: "www.example.org", ttl: 60, data: "ns.example.org" },
        { type: "AAAA", name: "ns.example.org", ttl: 300, data: "2001:db8:0:0:1:0:0:1" },
      ],
      authorities: [{ type: "NS", name: "example.org", ttl: 300, data: "ns.example.org" }],
      additionals: [
        { type: "A", name: "ns.example.org", ttl: 300, data: "192.0.2.1" },
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0x8000,
          flag_do: true,
          options: [
            { code: 15, data: Buffer.from("\0\x03old") },
            { code: 15, data: Buffer.from([0, 22]) },
            { code: 10, data: Buffer.from("0102030405060708", "hex") },
          ] as never,
        },
      ],
    }),
  ], { clock: new VirtualClock({ wallMs: Date.UTC(2026, 10, 23, 11, 23, 53) }) });
  assert.equal(err, "");
  assert.equal(code, QUERY_EXIT.reply);
  assert.match(out, /^;; WHEN: \w{3} Nov 2\d [\d:]+:53 \S+ 2026$/m);
  const text = out.replace(/id: \d+/, "id: ID").replace(/WHEN: .*/, "WHEN: DATE");
  assert.equal(
    text,
    `
; <<>> nodens 0.1.0 <<>> www.example.org AAAA +dnssec @127.0.0.1 -p PORT
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: ID
;; flags: qr aa rd ra ad; QUERY: 1, ANSWER: 2, AUTHORITY: 1, ADDITIONAL: 2

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags: do; udp: 1232
; EDE: 3 (Stale Answer): (old)
; EDE: 22 (No Reachable Authority)
; COOKIE: 0102030405060708
;; QUESTION SECTION:
;www.example.org.		IN	AAAA

;; ANSWER SECTION:
www.example.org.	60	IN	CNAME	ns.example.org.
ns.example.org.		300	IN	AAAA	2001:db8::1:0:0:1

;; AUTHORITY SECTION:
example.org.		300	IN	NS	ns.example.org.

;; ADDITIONAL SECTION:
ns.example.org.		300	IN	A	192.0.2.1

;; Query time: 0 msec
;; SERVER: 127.0.0.1#PORT(127.0.0.1) (UDP)
;; WHEN: DATE
;; MSG SIZE  rcvd: 225

`,
  );
});

Deno.test("query sends the flags and sizes of its options", async () => {
  const seen: Record<string, ReturnType<typeof decode>> = {};
  for (const args of ["x.example", "x.example +dnssec +bufsize=4096 +norec", "-x 192.0.2.1"]) {
    await query(args, (message) => {
      seen[args] = decode(Buffer.from(message));
      return [answer(message, {})];
    });
  }
  const plain = seen["x.example"]!;
  assert.deepEqual(plain.questions, [{ name: "x.example", type: "A", class: "IN" }]);
  assert.equal(plain.flag_rd, true);
  assert.equal(plain.flag_ad, true);
  const opt = (packet: ReturnType<typeof decode>) => packet.additionals![0] as never;
  assert.partialDeepStrictEqual(opt(plain), { type: "OPT", udpPayloadSize: 1232, flag_do: false });
  const options = seen["x.example +dnssec +bufsize=4096 +norec"]!;
  assert.equal(options.flag_rd, false);
  assert.partialDeepStrictEqual(opt(options), { udpPayloadSize: 4096, flag_do: true });
  assert.deepEqual(seen["-x 192.0.2.1"]!.questions, [
    { name: "1.2.0.192.in-addr.arpa", type: "PTR", class: "IN" },
  ]);
});

Deno.test("query +short prints only data", async () => {
  const { out } = await query("www.example.org +short", (message) => [
    answer(message, {
      answers: [{ type: "CNAME", name: "www.example.org", data: "ns.example.org" }, A],
    }),
  ]);
  assert.equal(out, "ns.example.org.\n192.0.2.1\n");
});

Deno.test("query asks again over TCP after a truncated answer", async () => {
  const asked: string[] = [];
  const { out, code } = await query("www.example.org", (message, transport) => {
    asked.push(transport);
    return [answer(message, transport === "udp" ? { flags: 0x380 } : { answers: [A] })];
  });
  assert.equal(code, QUERY_EXIT.reply);
  assert.deepEqual(asked, ["udp", "tcp"]);
  assert.match(out, /^;; Truncated, retrying in TCP mode\.\n/);
  assert.match(out, /\(TCP\)/);
  assert.match(out, /192\.0\.2\.1\n/);
});

Deno.test("query +tcp asks only over TCP", async () => {
  const { out } = await query(
    "www.example.org +tcp +short",
    (message, transport) => transport === "tcp" ? [answer(message, { answers: [A] })] : [],
  );
  assert.equal(out, "192.0.2.1\n");
});

Deno.test("query skips replies that do not match, with warnings", async () => {
  const { out, err } = await query("www.example.org +short", (message) => {
    const good = answer(message, { answers: [A] });
    const forged = Uint8Array.from(good);
    forged[0]! ^= 1;
    const other = answer(message, { questions: [{ name: "other.example", type: "A" }] });
    return [forged, other, Uint8Array.from(message), new Uint8Array(3), good];
  });
  assert.equal(out, "192.0.2.1\n");
  assert.match(err, /Warning: ID mismatch: expected ID \d+, got \d+\n/);
  assert.match(err, /Warning: Question section mismatch: got other\.example\.\/A\/IN\n/);
  assert.match(err, /Warning: not a response \(QR is not set\)\n/);
  assert.match(err, /Warning: message of 3 bytes is too short\n/);
});

Deno.test("query gives up after three tries without a reply", async () => {
  let tries = 0;
  const { code, err } = await query("www.example.org +time=1", () => {
    tries++;
    return [];
  });
  assert.equal(tries, 3);
  assert.equal(code, QUERY_EXIT.noReply);
  const line = /^;; communications error to 127\.0\.0\.1#\d+: timed out$/;
  const lines = err.trimEnd().split("\n");
  assert.equal(lines.pop(), ";; no servers could be reached");
  assert.equal(lines.filter((text) => line.test(text)).length, 3);
});

Deno.test("query dumps a malformed response", async () => {
  const { code, err } = await query("www.example.org", (message) => {
    const bytes = answer(message, { answers: [A] });
    return [bytes.subarray(0, bytes.length - 3)];
  });
  assert.equal(code, QUERY_EXIT.internal);
  assert.match(err, /^;; Got bad packet: record ends at byte 64 of 61\n61 bytes\n/);
});

Deno.test("query prints extended response codes", async () => {
  const { out } = await query("www.example.org", (message) => [
    answer(message, {
      additionals: [{
        type: "OPT",
        name: ".",
        udpPayloadSize: 512,
        extendedRcode: 1,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      }],
    }),
  ]);
  assert.match(out, /status: BADVERS/);
});

Deno.test("query uses the first server of resolv.conf", async () => {
  const resolvConf = Deno.makeTempFileSync({ prefix: "nodens_test_" });
  try {
    Deno.writeTextFileSync(resolvConf, "search x\nnameserver 127.0.0.1\nnameserver 192.0.2.1\n");
    const script: Script = (message) => [answer(message, { answers: [A] })];
    const { out } = await query("www.example.org +short", script, { resolvConf });
    assert.equal(out, "192.0.2.1\n");
  } finally {
    Deno.removeSync(resolvConf);
  }
});

const USAGE_ERRORS = [
  { args: "", error: "the name is missing (example.org)" },
  { args: "x AAAAA", error: 'unknown type "AAAAA" (' },
  { args: "x A y", error: '"y" is one argument too many (NAME [TYPE] [@SERVER])' },
  { args: "x..y", error: 'Cannot parse name "x..y"' },
  { args: "-x example.org", error: '-x: "example.org" is not an IP address (-x 192.0.2.1' },
  { args: "-p", error: "-p needs a value (-p 1053)" },
  { args: "x -p 0", error: '-p: "0" is not a number from 1 to 65535' },
  { args: "x -q", error: 'unknown flag "-q" (known are -p PORT and -x ADDRESS)' },
  { args: "x +shrot", error: 'unknown option "+shrot" (did you mean "+short"?)' },
  { args: "x +nocookie", error: 'unknown option "+nocookie"' },
  { args: "x +bufsize", error: "+bufsize needs a value (+bufsize=1232)" },
  { args: "x +bufsize=70000", error: '+bufsize: "70000" is not a number from 0 to 65535' },
];

for (const { args, error } of USAGE_ERRORS) {
  Deno.test(`query refuses "${args}"`, async () => {
    const { code, out, err } = await callCommand("query", args === "" ? [] : args.split(" "));
    assert.deepEqual([code, out], [1, ""]);
    assert.ok(err.startsWith(`nodens query: ${error}`), err);
  });
}
