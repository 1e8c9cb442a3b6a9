import assert from "node:assert/strict";
import fc from "fast-check";
import { Http2Client } from "../../../src/control/encrypted/http/http2_client.ts";
import {
  decodeResponse,
  encodeRequest,
} from "../../../src/control/encrypted/http/http2_headers.ts";

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
    broken: ({ why, flood }) => events.push(`broken: ${why}${flood ? " (flood)" : ""}`),
  });
  return { client, written, events };
}

function asking(requests = 1) {
  const { client, written, events } = connect();
  const headers = { method: "GET", authority: "x", path: "/", sizeBytes: 0 } as const;
  for (let i = 0; i < requests; i++) client.request(headers, null);
  return { client, written, events };
}

/** The output as frames: type, flags, stream, payload. */
function framesOf(written: readonly number[]): [number, number, number, number[]][] {
  const frames: [number, number, number, number[]][] = [];
  for (let at = 0; at < written.length;) {
    const [a, b, c, type, flags, d, e, f, g] = written.slice(at, at + 9) as [
      ...[number, number, number, number, number, number, number, number, number],
    ];
    const size = (a << 16) | (b << 8) | c;
    const stream = (d << 24) | (e << 16) | (f << 8) | g;
    frames.push([type, flags, stream, written.slice(at + 9, at + 9 + size)]);
    at += 9 + size;
  }
  return frames;
}

function frame(type: number, flags: number, stream: number, payload: number[] = []): number[] {
  const { length } = payload;
  const header = [length >> 16, (length >> 8) & 255, length & 255, type, flags, 0, 0, 0, stream];
  return [...header, ...payload];
}

const SETTINGS = frame(4, 0, 0, [0, 3, 0, 0, 0, 7, 0, 4, 0, 0, 1, 0]);
const BLOCKS: [title: string, block: number[], status: number | null, type: string | null][] = [
  ["status of the static table", [0x88], 200, null],
  ["another one", [0x8d], 404, null],
  ["status in Huffman code", [0x48, 0x82, 0x64, 0x02], 302, null],
  ["status as text", [0x08, 3, 0x35, 0x30, 0x33], 503, null],
  [
    "others are skipped, even unreadable ones",
    [0x20, 0x88, 0x76, 0x82, 0xff, 0xff, 0x00, 1, 0x78, 1, 0x79, 0x0f, 0x10, 3, 97, 47, 98],
    200,
    "a/b",
  ],
  [
    "content type in Huffman code",
    [0x5f, 0x87, 0x35, 0x23, 0x98, 0xac, 0x57, 0x54, 0xdf],
    null,
    "image/png",
  ],
];

for (const [title, block, status, contentType] of BLOCKS) {
  Deno.test(`HTTP/2 response headers: ${title}`, () => {
    assert.deepEqual(decodeResponse(Uint8Array.from(block)), { status, contentType });
  });
}

Deno.test("HTTP/2 response headers: malformed blocks are rejected", () => {
  for (const block of [[0xff, 0xff, 0xff, 0xff, 0xff], [0xbe], [0x08, 9, 1], [0x3f, 0xe1, 0x1f]]) {
    assert.equal(decodeResponse(Uint8Array.from(block)), null, String(block));
  }
});

Deno.test("HTTP/2 requests: lengths of long strings are encoded in several bytes", () => {
  const path = `/dns-query?dns=${"A".repeat(300)}`;
  const block = encodeRequest({ method: "GET", authority: "x", path, sizeBytes: 0 });
  // Indexed GET and https, authority, then the path: 315 is 127 + 188, in groups of seven bits.
  assert.deepEqual([...block.subarray(0, 9)], [0x82, 0x87, 0x01, 1, 0x78, 0x04, 0x7f, 0xbc, 0x01]);
});

Deno.test("HTTP/2: a conversation works whole and byte by byte", () => {
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
    ...frame(1, 4, 1, [0x88]),
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
    const { client, written, events } = asking(2);
    const before = written.length;
    for (let at = 0; at < bytes.length; at += size) client.receive(bytes.subarray(at, at + size));
    assert.deepEqual(events, expected);
    const acknowledged = [...frame(4, 1, 0), ...frame(6, 1, 0, [1, 2, 3, 4, 5, 6, 7, 8])];
    assert.deepEqual(written.slice(before), acknowledged);
  }
});

Deno.test("HTTP/2: a peer that breaks the protocol gets one error", () => {
  const rows: [bytes: number[], why: string][] = [
    [frame(5, 4, 1, [0, 0, 0, 2]), "it pushes"],
    [[0x7f, 0, 0, 0, 0, 0, 0, 0, 0], "too long"],
    [frame(0, 8, 1, [9, 0]), "padding"],
    [frame(1, 0x20, 1, [9, 0]), "padding"],
    [frame(9, 4, 1, [0x88]), "no headers"],
    [[...frame(1, 0, 1, [0x88]), ...frame(0, 0, 1, [1])], "interrupted"],
    [frame(1, 4, 1, [0xbe]), "headers"],
    [frame(1, 5, 1, [0x08, 3, 0x31, 0x30, 0x30]), "headers"],
    [[...frame(1, 4, 1, [0x88]), ...frame(1, 4, 1, [0x88])], "amid content"],
    [frame(0, 0, 1, [1]), "before headers"],
    [frame(7, 0, 0, [0]), "GOAWAY"],
    [frame(6, 0, 0, [0]), "PING"],
    [frame(3, 0, 1, [0]), "RST_STREAM"],
    [frame(4, 0, 1), "SETTINGS"],
    [frame(4, 0, 0, [1]), "SETTINGS"],
    [frame(4, 1, 0, [0, 4, 0, 0, 0, 0]), "SETTINGS"],
    [frame(4, 0, 0, [0, 4, 0x80, 0, 0, 0]), "flow control"],
    [frame(8, 0, 0, [0]), "WINDOW_UPDATE"],
    [frame(8, 0, 0, [0, 0, 0, 0]), "WINDOW_UPDATE"],
    [frame(8, 0, 0, [0x7f, 255, 255, 255]), "flow control"],
    [frame(8, 0, 1, [0x7f, 255, 255, 255]), "flow control"],
    // The peer's streams, and later ones of the client.
    ...[0, 1, 3, 8].flatMap((type) =>
      [2, 3].map((stream): [number[], string] => [
        frame(type, 4, stream, [0, 0, 0, 1]),
        "never opened",
      ])
    ),
  ];
  const all: typeof rows = [
    [[...new TextEncoder().encode("HTTP/1.1 400 ")], "does not speak HTTP/2"],
    [frame(4, 1, 0), "SETTINGS"],
    ...rows.map(([bytes, why]): [number[], string] => [[...SETTINGS, ...bytes], why]),
  ];
  for (const [bytes, why] of all) {
    const { client, events } = asking();
    client.receive(Uint8Array.from(bytes));
    const broken = events.filter((event) => event.startsWith("broken"));
    assert.equal(broken.length, 1, why);
    assert.ok(broken[0]!.includes(why), `${broken[0]}`);
  }
});

/** Frames that do not advance an answer; stream 1 is open, 3 is cancelled. */
const NOTHING = [
  { title: "empty DATA", frame: frame(0, 0, 1) },
  { title: "DATA of one octet", frame: frame(0, 0, 1, [7]) },
  { title: "DATA of padding alone", frame: frame(0, 8, 1, [3, 0, 0, 0]) },
  { title: "DATA of a stream that is closed", frame: frame(0, 0, 3, Array(200).fill(7)) },
  { title: "HEADERS of a stream that is closed", frame: frame(1, 4, 3, [0x88]) },
  { title: "RST_STREAM of a stream that is closed", frame: frame(3, 0, 3, [0, 0, 0, 1]) },
  { title: "WINDOW_UPDATE", frame: frame(8, 0, 0, [0, 0, 0, 1]) },
  { title: "WINDOW_UPDATE of a stream that is closed", frame: frame(8, 0, 3, [0, 0, 0, 1]) },
  { title: "SETTINGS", frame: frame(4, 0, 0) },
  { title: "acknowledged SETTINGS", frame: frame(4, 1, 0) },
  { title: "PING", frame: frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) },
  { title: "answered PING", frame: frame(6, 1, 0, [0, 0, 0, 0, 0, 0, 0, 0]) },
  { title: "GOAWAY", frame: frame(7, 0, 0, [0, 0, 0, 9, 0, 0, 0, 0]) },
  { title: "PRIORITY", frame: frame(2, 0, 1, [0, 0, 0, 0, 0]) },
  { title: "an unknown type", frame: frame(0xbe, 0, 9) },
  { title: "interim HEADERS", frame: frame(1, 4, 1, [0x08, 3, 0x31, 0x30, 0x30]), first: [] },
  { title: "empty CONTINUATION", frame: frame(9, 0, 1), first: frame(1, 0, 1, [0x88]) },
];

for (const { title, frame: one, first = frame(1, 4, 1, [0x88]) } of NOTHING) {
  Deno.test(`HTTP/2: repeated ${title} ends the connection`, () => {
    const { client, written, events } = asking(2);
    client.cancel(3);
    client.receive(Uint8Array.from([...SETTINGS, ...first]));
    const before = written.length;
    let count = 0;
    for (; count < 1000 && !events.some((event) => event.startsWith("broken")); count++) {
      client.receive(Uint8Array.from(one));
    }
    assert.ok(count > 200 && count < 300, `${count} frames`);
    assert.equal(
      events.at(-1),
      "broken: the upstream sends too many frames that carry nothing (flood)",
    );
    const last = framesOf(written.slice(before)).at(-1)!;
    assert.deepEqual(last, [7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 11]]);
  });
}

Deno.test("HTTP/2: a peer that answers may send a usual number of other frames", () => {
  const { client, events } = connect();
  client.receive(Uint8Array.from(SETTINGS));
  const headers = { method: "POST", authority: "x", path: "/", sizeBytes: 40 } as const;
  for (let i = 0; i < 2000; i++) {
    const stream = client.request(headers, new Uint8Array(40));
    assert.ok(stream > 0 && stream < 256 * 256);
    const own = frame(1, 4, 0, [0x88]);
    const about = (bytes: number[]) => {
      bytes[7] = stream >> 8;
      bytes[8] = stream & 255;
      return bytes;
    };
    client.receive(Uint8Array.from([
      ...frame(8, 0, 0, [0, 0, 0, 40]),
      ...about(frame(8, 0, 0, [0, 0, 0, 40])),
      ...about(own),
      ...about(frame(0, 0, 0, Array(30).fill(1))),
      ...about(frame(0, 1, 0, Array(30).fill(1))),
    ]));
  }
  assert.equal(events.filter((event) => event.startsWith("end")).length, 2000);
});

Deno.test("HTTP/2: too many headers end the connection", () => {
  const { client, events } = asking();
  client.receive(Uint8Array.from([...SETTINGS, ...frame(1, 0, 1, Array(9000).fill(0x88))]));
  client.receive(Uint8Array.from(frame(9, 0, 1, Array(9000).fill(0x88))));
  assert.equal(events.at(-1), "broken: the upstream sends too many headers (flood)");
  assert.equal(decodeResponse(new Uint8Array(128).fill(0x88))?.status, 200);
  assert.equal(decodeResponse(new Uint8Array(129).fill(0x88)), null);
});

Deno.test("HTTP/2: a peer that allows no streams gets no requests", () => {
  const { client } = connect();
  assert.equal(client.ready, true);
  client.receive(Uint8Array.from(frame(4, 0, 0, [0, 3, 0, 0, 0, 0])));
  assert.equal(client.ready, false);
  client.receive(Uint8Array.from(frame(4, 0, 0, [0, 3, 0, 0, 0, 1])));
  assert.equal(client.ready, true);
  client.request({ method: "GET", authority: "x", path: "/", sizeBytes: 0 }, null);
  assert.equal(client.ready, false);
  client.receive(Uint8Array.from(frame(1, 5, 1, [0x88])));
  assert.equal(client.ready, true);
});

Deno.test("HTTP/2: a body is sent in pieces as the peer's windows allow", () => {
  const { client, written } = connect();
  client.receive(Uint8Array.from(frame(4, 0, 0, [0, 4, 0, 0, 0, 10])));
  const before = written.length;
  const body = Uint8Array.from({ length: 25 }, (_, i) => i);
  client.request({ method: "POST", authority: "x", path: "/", sizeBytes: 25 }, body);
  assert.equal(client.ready, false);
  const data = () => framesOf(written.slice(before)).filter(([type]) => type === 0);
  assert.deepEqual(data().map(([, flags, , payload]) => [flags, payload.length]), [[0, 10]]);
  client.receive(Uint8Array.from(frame(8, 0, 1, [0, 0, 0, 3])));
  // A smaller window makes this stream's negative: 3 octets must be made up.
  client.receive(Uint8Array.from(frame(4, 0, 0, [0, 4, 0, 0, 0, 7])));
  client.receive(Uint8Array.from(frame(8, 0, 1, [0, 0, 0, 3])));
  client.receive(Uint8Array.from(frame(8, 0, 1, [0, 0, 0, 20])));
  assert.deepEqual(data().map(([, flags, , payload]) => [flags, payload.length]), [
    [0, 10],
    [0, 3],
    [1, 12],
  ]);
  assert.deepEqual(data().flatMap(([, , , payload]) => payload), [...body]);
  assert.equal(client.ready, true);
});

Deno.test("HTTP/2: no input makes the client throw", () => {
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
        const { client, events } = asking(3);
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
