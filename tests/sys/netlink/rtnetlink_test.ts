import assert from "node:assert/strict";
import { encodeRequest, type NetlinkRequest } from "../../../src/sys/netlink/netlink.ts";
import { Rtnetlink } from "../../../src/sys/netlink/rtnetlink.ts";
import {
  decodeAddress,
  decodeLink,
  decodeNotice,
} from "../../../src/sys/netlink/rtnetlink_messages.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replace(/\s/g, ""));

const IPV4 = { index: 5, bytes: bytes("a9fe140a"), prefixLength: 32 };
const IPV6 = { index: 5, bytes: bytes("fd0000000000000000000000000000 10"), prefixLength: 128 };
const NO_LINK = "0000 0000 00000000 00000000 00000000";

const REQUESTS: { what: string; ask: (kernel: Rtnetlink) => void; hex: string }[] = [
  {
    what: "get a link",
    ask: (kernel) => kernel.getLink("lo"),
    hex: `28000000 1200 0500 01000000 00000000 ${NO_LINK} 0700 0300 6c6f0000`,
  },
  {
    what: "list links",
    ask: (kernel) => kernel.listLinks(),
    hex: `20000000 1200 0103 02000000 00000000 ${NO_LINK}`,
  },
  {
    what: "add a link",
    ask: (kernel) => kernel.addLink("nodens0", "dummy"),
    hex: `3c000000 1000 0506 03000000 00000000 ${NO_LINK}` +
      "0c00 0300 6e6f64656e733000 1000 1280 0a00 0100 64756d6d79000000",
  },
  {
    what: "set a link up",
    ask: (kernel) => kernel.setLinkUp(5),
    hex: "20000000 1000 0500 04000000 00000000 0000 0000 05000000 01000000 01000000",
  },
  {
    what: "delete a link",
    ask: (kernel) => kernel.deleteLink(5),
    hex: "20000000 1100 0500 05000000 00000000 0000 0000 05000000 00000000 00000000",
  },
  {
    what: "list addresses",
    ask: (kernel) => kernel.listAddresses(),
    hex: "18000000 1600 0103 06000000 00000000 00000000 00000000",
  },
  {
    what: "add an IPv4 address",
    ask: (kernel) => kernel.addAddress(IPV4),
    hex: "28000000 1400 0506 07000000 00000000 02 20 00 00 05000000" +
      "0800 0200 a9fe140a 0800 0100 a9fe140a",
  },
  {
    what: "add an IPv6 address, without duplicate address detection",
    ask: (kernel) => kernel.addAddress(IPV6),
    hex: "48000000 1400 0506 08000000 00000000 0a 80 02 00 05000000" +
      "1400 0200 fd000000000000000000000000000010 1400 0100 fd000000000000000000000000000010" +
      "0800 0800 02000000",
  },
  {
    what: "delete an IPv4 address",
    ask: (kernel) => kernel.deleteAddress(IPV4),
    hex: "28000000 1500 0500 09000000 00000000 02 20 00 00 05000000" +
      "0800 0200 a9fe140a 0800 0100 a9fe140a",
  },
  {
    what: "the source towards an address",
    ask: (kernel) => kernel.sourceTowards(bytes("c0000201")),
    hex: "24000000 1a00 0500 0a000000 00000000 02 20 00 00 00 00 00 00 00000000 0800 0100 c0000201",
  },
  {
    what: "the source of packets to a local IPv4 address",
    ask: (kernel) => kernel.setLocalSource(IPV4, bytes("c0000201")),
    hex: "34000000 1800 0505 0b000000 00000000 02 20 00 00 ff 02 fe 02 00000000" +
      "0800 0100 a9fe140a 0800 0400 05000000 0800 0700 c0000201",
  },
  {
    what: "delete the route of a local IPv6 address",
    ask: (kernel) => kernel.deleteLocalRoute(IPV6),
    hex: "38000000 1900 0500 0c000000 00000000 0a 80 00 00 ff 02 00 02 00000000" +
      "1400 0100 fd000000000000000000000000000010 0800 0400 05000000",
  },
];

for (const [i, { what, ask, hex }] of REQUESTS.entries()) {
  Deno.test(`rtnetlink, request: ${what}`, () => {
    const sent: Uint8Array[] = [];
    const run = (request: NetlinkRequest) => {
      sent.push(encodeRequest(request, i + 1));
      return [];
    };
    ask(new Rtnetlink({ run, dump: run, close: () => {} }));
    assert.deepEqual(sent, [bytes(hex)]);
  });
}

function message(type: number, body: string) {
  return { type, flags: 0, sequence: 0, body: bytes(body) };
}

// As sent by Linux 6.18, truncated.
const LO = "0000 0403 01000000 49000100 00000000 0700 0300 6c6f0000 0800 0d00 e8030000";
const PORT = "0000 0100 07000000 02100000 00000000 0900 0300 706f727400000000" +
  "0800 0a00 05000000 1000 1280 0900 0100 7665746800000000";

Deno.test("rtnetlink: links are decoded", () => {
  assert.deepEqual(decodeLink(message(16, LO)), {
    ...{ index: 1, name: "lo", kind: "", up: true, master: 0, elsewhere: false },
  });
  assert.deepEqual(decodeLink(message(16, PORT)), {
    ...{ index: 7, name: "port", kind: "veth", up: false, master: 5, elsewhere: false },
  });
  assert.throws(() => decodeLink(message(16, "0000")), /a link of 2 octets/);
});

const ADDRESSES: { what: string; body: string; read: object | null }[] = [
  {
    what: "IPv4; not the peer's on a point-to-point link",
    body: "02 20 80 00 05000000 0800 0100 0a000001 0800 0200 0a000002 0800 0800 80000000",
    read: { index: 5, bytes: bytes("0a000002"), prefixLength: 32, duplicate: false },
  },
  {
    what: "IPv6, which has no LOCAL",
    body: "0a 80 82 00 05000000 1400 0100 fd000000000000000000000000000010",
    read: { ...IPV6, duplicate: false },
  },
  {
    what: "a duplicate IPv6 address, by the flags of old kernels",
    body: "0a 80 88 00 05000000 1400 0100 fd000000000000000000000000000010",
    read: { ...IPV6, duplicate: true },
  },
  {
    what: "a duplicate IPv6 address, by the 32-bit flags, which take precedence",
    body: "0a 80 80 00 05000000 1400 0100 fd000000000000000000000000000010 0800 0800 88000000",
    read: { ...IPV6, duplicate: true },
  },
  { what: "another family", body: "1c 00 00 00 05000000 0800 0100 0a000001", read: null },
  {
    what: "an address of the wrong length",
    body: "02 20 00 00 05000000 0600 0100 0a00",
    read: null,
  },
  { what: "no address", body: "02 20 00 00 05000000", read: null },
];

for (const { what, body, read } of ADDRESSES) {
  Deno.test(`rtnetlink, address: ${what}`, () => {
    assert.deepEqual(decodeAddress(message(20, body)), read);
  });
}

Deno.test("rtnetlink: notices name their link", () => {
  const address = "02 20 80 00 05000000 0800 0100 0a000001";
  assert.deepEqual(decodeNotice(message(16, LO)), { index: 1, name: "lo" });
  assert.deepEqual(decodeNotice(message(17, PORT)), { index: 7, name: "port" });
  assert.deepEqual(decodeNotice(message(20, address)), { index: 5 });
  assert.deepEqual(decodeNotice(message(21, address)), { index: 5 });
  assert.equal(decodeNotice(message(24, address)), null);
});
