import assert from "node:assert/strict";
import fc from "fast-check";
import { Http2Client } from "../../src/control/http2_client.ts";
import { decodeResponse, encodeRequest } from "../../src/control/http2_headers.ts";

/** A client, what it wrote, and what it reported. */
function connect() {
  const written: number[] = [];
  const events: string[] = [];
  const client = new Http2Client({
    write: (bytes) => written.push(...bytes),
    ready: () => events.push("ready"),
    headers: (stream, { status, contentType }) =>
      events.push(`headers ${stream} ${status} ${contentType}`),
    data: (stream, bytes) => events.push(`data ${stream} ${bytes.length}`),
    end: (stream) => events.push(`end ${stream}`),
    reset: (stream) => events.push(`reset ${stream}`),
    goaway: (last, code) => events.push(`goaway ${last} ${code}`),
    broken: (why) => events.push(`broken: ${why}`),
  });
  return { client, written, events };
}

function frame(type: number, flags: number, stream: number, payload: number[] = []): number[] {
  const length = payload.length;
  return [
    length >> 16,
    (length >> 8) & 255,
    length & 255,
    type,
    flags,
    0,
    0,
    0,
    stream,
    ...payload,
  ];
}

const SETTINGS = frame(4, 0, 0, [0, 3, 0, 0, 0, 7, 0, 4, 0, 0, 1, 0]);
/** Header blocks as servers write them, and what is read of them. */
const BLOCKS = [
  { title: "status of the static table", block: [0x88], status: 200, contentType: null },
  { title: "another one", block: [0x8d], status: 404, contentType: null },
  {
    title: "status in Huffman code",
    block: [0x48, 0x82, 0x64, 0x02],
    status: 302,
    contentType: null,
  },
  { title: "status as text", block: [0x08, 3, 0x35, 0x30, 0x33], status: 503, contentType: null },
  {
    title: "others are passed over, even those that cannot be read",
    block: [0x20, 0x88, 0x76, 0x82, 0xff, 0xff, 0x00, 1, 0x78, 1, 0x79, 0x0f, 0x10, 3, 97, 47, 98],
    status: 200,
    contentType: "a/b",
  },
  {
    title: "content type in Huffman code",
    block: [0x5f, 0x87, 0x35, 0x23, 0x98, 0xac, 0x57, 0x54, 0xdf],
    status: null,
    contentType: "image/png",
  },
] as const;

for (const { title, block, status, contentType } of BLOCKS) {
  Deno.test(`HTTP/2 response headers: ${title}`, () => {
    assert.deepEqual(decodeResponse(Uint8Array.from(block)), { status, contentType });
  });
}

Deno.test("HTTP/2 response headers that are broken", () => {
  for (const block of [[0xff, 0xff, 0xff, 0xff, 0xff], [0xbe], [0x08, 9, 1], [0x3f, 0xe1, 0x1f]]) {
    assert.equal(decodeResponse(Uint8Array.from(block)), null, String(block));
  }
});

Deno.test("HTTP/2 requests: long strings have their length in several octets", () => {
  const path = `/dns-query?dns=${"A".repeat(300)}`;
  const block = encodeRequest({ method: "GET", authority: "x", path, sizeBytes: 0 });
  // Indexed GET and https, authority, then the path: 315 is 127 + 188, in groups of seven bits.
  assert.deepEqual([...block.subarray(0, 9)], [0x82, 0x87, 0x01, 1, 0x78, 0x04, 0x7f, 0xbc, 0x01]);
});

Deno.test("an HTTP/2 conversation, in one piece and octet by octet", () => {
  const bytes = Uint8Array.from([
    ...SETTINGS,
    ...frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
    // Padded headers with a priority, continued.
    ...frame(1, 0x28, 1, [2, 0, 0, 0, 0, 0, 0x88, 0, 0]),
    ...frame(9, 4, 1, [0x0f, 0x10, 1, 0x61]),
    ...frame(0, 8, 1, [1, 7, 7, 7, 0]),
    ...frame(0, 1, 1, [7]),
    ...frame(3, 0, 3, [0, 0, 0, 7]),
    ...frame(99, 0, 5, [1]),
    ...frame(7, 0, 0, [0, 0, 0, 3, 0, 0, 0, 0]),
  ]);
  const expected = [
    "ready",
    "headers 1 200 a",
    "data 1 3",
    "data 1 1",
    "end 1",
    "reset 3",
    "goaway 3 0",
  ];
  for (const size of [bytes.length, 1, 5]) {
    const { client, written, events } = connect();
    const before = written.length;
    for (let at = 0; at < bytes.length; at += size) client.receive(bytes.subarray(at, at + size));
    assert.deepEqual(events, expected);
    assert.equal(client.maxStreams, 7);
    assert.equal(client.takes(256), true);
    assert.equal(client.takes(257), false);
    const acknowledged = [...frame(4, 1, 0), ...frame(6, 1, 0, [1, 2, 3, 4, 5, 6, 7, 8])];
    assert.deepEqual(written.slice(before), acknowledged);
  }
});

Deno.test("HTTP/2 peers that break the protocol are told once", () => {
  const rows = [
    { bytes: [...new TextEncoder().encode("HTTP/1.1 400 ")], why: "does not speak HTTP/2" },
    { bytes: [...SETTINGS, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0], why: "too long" },
    { bytes: [...SETTINGS, ...frame(5, 4, 1, [0, 0, 0, 2])], why: "it pushes" },
    { bytes: [...SETTINGS, ...frame(0, 8, 1, [9, 0])], why: "padding" },
    { bytes: [...SETTINGS, ...frame(9, 4, 1, [0x88])], why: "no headers" },
    { bytes: [...SETTINGS, ...frame(1, 0, 1, [0x88]), ...frame(0, 0, 1, [1])], why: "interrupted" },
    { bytes: [...SETTINGS, ...frame(1, 4, 1, [0xbe])], why: "headers" },
    { bytes: [...SETTINGS, ...frame(7, 0, 0, [0])], why: "GOAWAY" },
  ];
  for (const { bytes, why } of rows) {
    const { client, events } = connect();
    client.receive(Uint8Array.from(bytes));
    const broken = events.filter((event) => event.startsWith("broken"));
    assert.equal(broken.length, 1, why);
    assert.ok(broken[0]!.includes(why), `${broken[0]}`);
  }
});

Deno.test("no bytes make the HTTP/2 client throw", () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => [...bytes]),
    fc.tuple(
      fc.integer({ min: 0, max: 11 }),
      fc.nat(255),
      fc.nat(9),
      fc.uint8Array({ maxLength: 30 }),
    )
      .map(([type, flags, stream, payload]) => frame(type, flags, stream, [...payload])),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }),
      fc.integer({ min: 1, max: 50 }),
      (parts, size) => {
        const { client, events } = connect();
        const bytes = Uint8Array.from([...SETTINGS, ...parts.flat()]);
        for (let at = 0; at < bytes.length; at += size) {
          client.receive(
            bytes.subarray(at, at + size),
          );
        }
        assert.ok(events.filter((event) => event.startsWith("broken")).length <= 1);
      },
    ),
    { numRuns: 2000 },
  );
});
