import assert from "node:assert/strict";
import { encodeRequest, type NetlinkRequest } from "../../../src/sys/netlink/netlink.ts";
import { NetlinkError } from "../../../src/sys/netlink/socket.ts";
import { decodeFilter, TrafficControl } from "../../../src/sys/netlink/traffic_control.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replace(/\s/g, ""));
const FILTER = { name: "nodens_hits", priority: 53, handle: 53 };

const REQUESTS: { what: string; ask: (control: TrafficControl) => void; hex: string }[] = [
  {
    what: "list filters of ingress",
    ask: (control) => control.listFilters(7, "ingress"),
    hex: "24000000 2e00 0103 01000000 00000000 00000000 07000000 00000000 f2ffffff 00000000",
  },
  {
    what: "list filters of egress",
    ask: (control) => control.listFilters(7, "egress"),
    hex: "24000000 2e00 0103 02000000 00000000 00000000 07000000 00000000 f3ffffff 00000000",
  },
  {
    what: "add clsact",
    ask: (control) => control.addClsact(7),
    hex: "30000000 2400 0506 03000000 00000000 00000000 07000000 0000ffff f1ffffff 00000000" +
      "0b00 0100 636c7361637400 00",
  },
  {
    what: "set a filter",
    ask: (control) => control.setFilter(7, 9, FILTER),
    hex: "50000000 2c00 0504 04000000 00000000 00000000 07000000 35000000 f2ffffff 00033500" +
      "0800 0100 62706600 2400 0280 0800 0600 09000000 1000 0700 6e6f64656e735f6869747300" +
      "0800 0800 01000000",
  },
  {
    what: "delete a filter",
    ask: (control) => control.deleteFilter(7, FILTER),
    hex: "2c000000 2d00 0500 05000000 00000000 00000000 07000000 35000000 f2ffffff 00033500" +
      "0800 0100 62706600",
  },
];

for (const [i, { what, ask, hex }] of REQUESTS.entries()) {
  Deno.test(`traffic control, request: ${what}`, () => {
    const sent: Uint8Array[] = [];
    const run = (request: NetlinkRequest) => {
      sent.push(encodeRequest(request, i + 1));
      return [];
    };
    ask(new TrafficControl({ run, dump: run, close: () => {} }));
    assert.deepEqual(sent, [bytes(hex)]);
  });
}

function refusing(errno: number): TrafficControl {
  const run = () => {
    throw new NetlinkError(errno, "");
  };
  return new TrafficControl({ run, dump: () => [], close: () => {} });
}

Deno.test("traffic control: a qdisc that exists is kept, and others' errors are thrown", () => {
  assert.equal(refusing(17).addClsact(7), false);
  assert.throws(() => refusing(1).addClsact(7), NetlinkError);
  for (const errno of [2, 19, 22]) {
    assert.equal(refusing(errno).deleteFilter(7, FILTER), false);
    assert.equal(refusing(errno).removeClsact(7), false);
  }
  assert.throws(() => refusing(1).deleteFilter(7, FILTER), NetlinkError);
});

const HEADER = "00000000 07000000";

Deno.test("traffic control: filters are decoded", () => {
  const message = (hex: string) => ({ type: 44, flags: 0, sequence: 0, body: bytes(hex) });
  const own = `${HEADER} 35000000 f2ffffff 00033500 0800 0100 62706600 1c00 0280` +
    "1000 0700 6e6f64656e735f6869747300 0800 0b00 2a000000";
  assert.deepEqual(decodeFilter(message(own)), { ...FILTER, kind: "bpf", programId: 42 });
  const other = `${HEADER} 00080080 f2ffffff 00030100 0800 0100 75333200`;
  assert.deepEqual(decodeFilter(message(other)), {
    ...{ kind: "u32", name: "", programId: 0, priority: 1, handle: 0x80000800 },
  });
  const beginning = `${HEADER} 00000000 f2ffffff 00033500 0800 0100 62706600`;
  assert.equal(decodeFilter(message(beginning)), null);
  assert.throws(() => decodeFilter(message("00")), /a filter of 1 octets/);
});
