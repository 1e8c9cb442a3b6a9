/**
 * Fills the connection table of its network namespace by netlink with entries that the kernel does
 * not evict; prints their number and FULL.
 */
import { openLibc } from "../../src/sys/libc.ts";
import { readKernelFile } from "../../src/sys/kernel_file.ts";

/** linux/netfilter/nfnetlink_conntrack.h and linux/netlink.h. */
const NETLINK_NETFILTER = 12;
const NEW_CONNTRACK = 1 << 8 | 0;
const REQUEST_CREATE = 0x1 | 0x400;
const NESTED = 0x8000;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, STATUS: 3, TIMEOUT: 7 };
/** IPS_ASSURED, IPS_SEEN_REPLY, IPS_CONFIRMED. */
const STATUS = 4 | 2 | 8;
const BATCH = 256;

function attribute(type: number, ...parts: readonly (readonly number[])[]): number[] {
  const body = parts.flat();
  const length = 4 + body.length;
  const padding = Array<number>((4 - length % 4) % 4).fill(0);
  return [length & 255, length >> 8, type & 255, type >> 8, ...body, ...padding];
}

/** A UDP flow between two hosts of 198.18.0.0/15 (RFC 2544, for tests). */
function tuple(type: number, from: number[], to: number[]): number[] {
  const [fromHost, fromPort] = [from.slice(0, 4), from.slice(4)];
  const [toHost, toPort] = [to.slice(0, 4), to.slice(4)];
  return attribute(
    type | NESTED,
    attribute(1 | NESTED, attribute(1, fromHost), attribute(2, toHost)),
    attribute(2 | NESTED, attribute(1, [17]), attribute(2, fromPort), attribute(3, toPort)),
  );
}

/** One entry, with the client's host and port from `number`. */
function message(): number[] {
  const from = [198, 18, 0, 0, 0, 1];
  const to = [198, 19, 0, 1, 0, 53];
  const body = [
    ...[2, 0, 0, 0],
    ...tuple(CTA.TUPLE_ORIG, from, to),
    ...tuple(CTA.TUPLE_REPLY, to, from),
    ...attribute(CTA.STATUS, [0, 0, 0, STATUS]),
    ...attribute(CTA.TIMEOUT, [0, 0, 2, 88]),
  ];
  const bytes = new Uint8Array(16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, NEW_CONNTRACK, true);
  view.setUint16(6, REQUEST_CREATE, true);
  bytes.set(body, 16);
  return [...bytes];
}

const PLACES = [{ host: 34, port: 60 }, { host: 94, port: 120 }];

function number(messages: Uint8Array, size: number, first: number): void {
  for (let i = 0; i < BATCH; i++) {
    for (const { host, port } of PLACES) {
      messages[i * size + host] = first + i >> 8;
      messages[i * size + host + 1] = first + i;
      messages[i * size + port] = 0x10 + (first + i >> 16);
    }
  }
}

if (import.meta.main) {
  const libc = openLibc();
  const max = Number(readKernelFile("/proc/sys/net/netfilter/nf_conntrack_max"));
  const count = () => Number(readKernelFile("/proc/sys/net/netfilter/nf_conntrack_count"));
  const fd = libc.socket(16, 3, NETLINK_NETFILTER);
  if (fd < 0) throw new Error("Cannot open a netlink socket");
  const reply = new Uint8Array(65536);
  const one = message();
  const bytes = new Uint8Array(Array.from({ length: BATCH }, () => one).flat());
  for (let n = 0; n < max + BATCH; n += BATCH) {
    number(bytes, one.length, n);
    if (libc.send(fd, bytes, bytes.length, 0) !== bytes.length) throw new Error("Cannot send");
    // Refusals are ignored: the last ones show a full table.
    while (libc.recv(fd, reply, reply.length, 0x40) > 0);
  }
  const text = `${count()} of ${max}\n${count() >= max ? "FULL" : "NOT FULL"}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
