import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeAcknowledgement,
  decodeAttributes,
  decodeMessages,
  decodeText,
  encodeAttribute,
  encodeRequest,
  type NetlinkMessage,
} from "../../../src/sys/netlink/netlink.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex.replace(/\s/g, ""));

const ENCODED: { what: string; made: Uint8Array; hex: string }[] = [
  {
    what: "a request without attributes",
    made: encodeRequest({ type: 18, flags: 0x300, header: new Uint8Array(4) }, 0x01020304),
    hex: "14000000 1200 0103 04030201 00000000 00000000",
  },
  {
    what: "text, padded; its length excludes the padding",
    made: encodeAttribute([3, "lo"]),
    hex: "0700 0300 6c6f00 00",
  },
  {
    what: "text that needs no padding",
    made: encodeAttribute([3, "abc"]),
    hex: "0800 0300 61626300",
  },
  { what: "a number", made: encodeAttribute([8, 0x80000002]), hex: "0800 0800 02000080" },
  {
    what: "nested attributes",
    made: encodeAttribute([18, [[1, "dummy"], [2, 7]]]),
    hex: "1800 1280 0a00 0100 64756d6d7900 0000 0800 0200 07000000",
  },
  { what: "an empty value", made: encodeAttribute([9, bytes("")]), hex: "0400 0900" },
];

for (const { what, made, hex } of ENCODED) {
  Deno.test(`netlink, encoded: ${what}`, () => assert.deepEqual(made, bytes(hex)));
}

Deno.test("netlink: an attribute that is too long is refused", () => {
  assert.equal(encodeAttribute([1, new Uint8Array(65531)]).length, 65536);
  assert.throws(() => encodeAttribute([1, new Uint8Array(65532)]), /65532 octets/);
});

const ACKNOWLEDGEMENTS: {
  what: string;
  type: number;
  flags: number;
  body: string;
  read: object;
}[] = [
  {
    what: "done",
    type: 2,
    flags: 0x100,
    body: "00000000 3c000000 1000 0506 01000000 00000000",
    read: { errno: 0, text: "" },
  },
  {
    what: "refused with an explanation, the request capped",
    type: 2,
    flags: 0x300,
    body: "a1ffffff 3c000000 1000 0506 01000000 00000000" +
      "1900 0100 556e6b6e6f776e2064657669636520747970652e00 000000",
    read: { errno: 95, text: "Unknown device type." },
  },
  {
    what: "refused with an explanation after the whole request",
    type: 2,
    flags: 0x200,
    body: "eaffffff 16000000 1000 0500 01000000 00000000 ffffffffffff 0000" +
      "0800 0200 14000000 0700 0100 6e6f00 00",
    read: { errno: 22, text: "no" },
  },
  {
    what: "refused without explanation",
    type: 2,
    flags: 0x100,
    body: "ffffffff 3c000000 1000 0506 01000000 00000000",
    read: { errno: 1, text: "" },
  },
  { what: "the end of a dump", type: 3, flags: 2, body: "00000000", read: { errno: 0, text: "" } },
  { what: "the end of an old dump", type: 3, flags: 2, body: "", read: { errno: 0, text: "" } },
  {
    what: "a failed dump, with an explanation",
    type: 3,
    flags: 0x202,
    body: "eaffffff 0700 0100 6e6f00 00",
    read: { errno: 22, text: "no" },
  },
];

for (const { what, type, flags, body, read } of ACKNOWLEDGEMENTS) {
  Deno.test(`netlink, acknowledgement: ${what}`, () => {
    const message: NetlinkMessage = { type, flags, sequence: 1, body: bytes(body) };
    assert.deepEqual(decodeAcknowledgement(message), read);
  });
}

const MALFORMED: { what: string; decode: () => unknown; message: RegExp }[] = [
  {
    what: "half a header",
    decode: () => decodeMessages(bytes("14000000 1200")),
    message: /message of 0 octets: 6 are left/,
  },
  {
    what: "a message longer than the data",
    decode: () => decodeMessages(bytes("11000000 1200 0103 00000000 00000000")),
    message: /message of 17 octets: 16 are left/,
  },
  {
    what: "a message shorter than its header, which would loop",
    decode: () => decodeMessages(bytes("00000000 1200 0103 00000000 00000000")),
    message: /message of 0 octets/,
  },
  {
    what: "an attribute longer than the rest",
    decode: () => decodeAttributes(bytes("0900 0100 61626300")),
    message: /attribute of 9 octets: 8 are left/,
  },
  {
    what: "an attribute without length",
    decode: () => decodeAttributes(bytes("0000 0100")),
    message: /attribute of 0 octets/,
  },
  {
    what: "an acknowledgement without the request",
    decode: () =>
      decodeAcknowledgement({ type: 2, flags: 0x200, sequence: 1, body: bytes("00000000") }),
    message: /acknowledgement of 20 octets: 4 are left/,
  },
];

for (const { what, decode, message } of MALFORMED) {
  Deno.test(`netlink, refused: ${what}`, () =>
    assert.throws(decode, { name: "RangeError", message }));
}

const UINT16 = fc.integer({ min: 0, max: 0xffff });
const SEQUENCE = fc.integer({ min: 0, max: 0xffffffff });

Deno.test("netlink: decoding reverses encoding", () => {
  const attributes = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })),
    { selector: ([type]) => type, maxLength: 8 },
  );
  const message = fc.record({ type: UINT16, flags: UINT16, sequence: SEQUENCE, attributes }, {
    noNullPrototype: true,
  });
  fc.assert(fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
    const parts = messages.map(({ sequence, ...request }) =>
      encodeRequest({ ...request, header: new Uint8Array(8) }, sequence)
    );
    const all = new Uint8Array(parts.flatMap((part) => [...part]));
    const read = decodeMessages(all);
    assert.deepEqual(
      read.map(({ type, flags, sequence, body }) => ({
        ...{ type, flags, sequence },
        attributes: [...decodeAttributes(body.subarray(8))],
      })),
      messages.map((message) => ({ ...message, flags: message.flags | 1 })),
    );
  }));
});

Deno.test("netlink: any bytes are decoded or refused with a RangeError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), UINT16, (body, flags) => {
    for (
      const decode of [
        () => decodeMessages(body),
        () => decodeAttributes(body),
        () => decodeAcknowledgement({ type: 2, flags, sequence: 1, body }),
        () => decodeText(body),
      ]
    ) {
      try {
        decode();
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }
  }));
});
