/**
 * Cost of compressing a reply on arrival, compared with checking and copying, and bytes saved.
 * Nanoseconds, without sockets.
 *
 *   deno run -A bench/compress.ts [--rounds 50]
 */
import { parseArgs } from "node:util";
import { MAX_MESSAGE_SIZE } from "../src/dns/constants.ts";
import { parseName } from "../src/dns/name.ts";
import { MAX_RECORDS, ResponseScanner } from "../src/dns/response_scan.ts";
import { Memory } from "../src/engine/memory.ts";
import { Response } from "../src/engine/response/response.ts";
import { ResponseRewriter } from "../src/engine/response/rewriter.ts";
import { describeReply } from "../src/upstream/message/reply.ts";
import { print } from "./output.ts";

const HEADER_SIZE = 12;
const CALLS = 2000;
const ROOM = MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS;

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "50" } },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds: "${flags.rounds}" is not a whole number above 0`);
}

const QNAME = "my-headless-service.my-namespace.svc.cluster.local";
const A = 1;
const CNAME = 5;
const SRV = 33;

type Row = readonly [owner: Uint8Array, type: number, data: readonly number[]];

const POINTER = Uint8Array.of(0xc0, HEADER_SIZE);
const address = (owner: Uint8Array, last: number): Row => [owner, A, [10, 1, 2, last]];
const addresses = (count: number, owner: Uint8Array) =>
  Array.from({ length: count }, (_, i) => address(owner, i));
const own = parseName(QNAME);
const pod = (i: number) => parseName(`pod-${i}.${QNAME}`);
const alias = parseName("lb.eu-west.cdn.example.net");

const REPLIES: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  ["1 A, compressed", addresses(1, POINTER)],
  ["1 A", addresses(1, own)],
  ["4 A", addresses(4, own)],
  ["20 A", addresses(20, own)],
  ["CNAME and 2 A", [[own, CNAME, [...alias]], ...addresses(2, alias)]],
  ["20 SRV and their A", [
    ...Array.from({ length: 20 }, (_, i): Row => [own, SRV, [0, 0, 0, 50, 0, 80, ...pod(i)]]),
    ...Array.from({ length: 20 }, (_, i) => address(pod(i), i)),
  ]],
];

function message(rows: readonly Row[]): Uint8Array {
  const octets = [0, 1, 0x81, 0x80, 0, 1, 0, rows.length, 0, 0, 0, 0, ...own, 0, A, 0, 1];
  for (const [owner, type, data] of rows) {
    octets.push(...owner, 0, type, 0, 1, 0, 0, 0, 30, 0, data.length, ...data);
  }
  return Uint8Array.from(octets);
}

/** Minimum nanoseconds of a call. */
function measure(call: () => void): number {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    for (let i = 0; i < CALLS; i++) call();
    least = Math.min(least, (performance.now() - began) * 1e6 / CALLS);
  }
  return least;
}

const scanner = new ResponseScanner();
const rewriter = new ResponseRewriter();
const response = new Response(new Memory(8));
const from = new Memory(ROOM);
const to = new Memory(ROOM);

print("| reply | octets | compressed | copy ns | check ns | compress ns | compress / copy |");
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
for (const [title, rows] of REPLIES) {
  const bytes = message(rows);
  from.bytes.set(bytes);
  if (!scanner.scan(from.bytes, from.view, 0, bytes.length)) throw new Error(`${title}: malformed`);
  const copy = measure(() => to.bytes.set(bytes));
  const check = measure(() => scanner.scan(from.bytes, from.view, 0, bytes.length));
  const compress = measure(() => {
    describeReply(response, scanner, from);
    rewriter.compress(response, own.length);
  });
  const ns = [copy, check, compress].map((value) => value.toFixed(0)).join(" | ");
  print(
    `| ${title} | ${bytes.length} | ${response.length} | ${ns} | ${(compress / copy).toFixed(1)} |`,
  );
}
