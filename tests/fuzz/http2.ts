import assert from "node:assert/strict";
import { Http2Client } from "../../src/control/encrypted/http/http2_client.ts";
import {
  FLAG,
  frame,
  FRAME_HEADER,
  settingsPayload,
  TYPE,
  words,
} from "../../src/control/encrypted/http/http2_frames.ts";
import { joinBytes } from "../../src/control/encrypted/http/join_bytes.ts";
import { seeded } from "../support/run/random.ts";

/** Copies allowed per octet received: into a frame and into a header block. */
const COPIES = 2;
/** Size of a request, and of the connection's preface. */
const REQUEST_BYTES = 250;
/** Events allowed per frame: content, and the end of its request. */
const EVENTS_PER_FRAME = 2;

interface Run {
  events: string[];
  bodies: Map<number, number[]>;
  written: number;
  copied: number;
  broken: boolean;
}

function run(bytes: Uint8Array, requests: number, cut: () => number): Run {
  const events: string[] = [];
  const bodies = new Map<number, number[]>();
  let written = 0;
  let broken = false;
  const event = (text: string) => {
    assert.ok(!broken, `${text} after the end`);
    events.push(text);
  };
  const client = new Http2Client({
    write: ({ length }) => written += length,
    ready: () => event("ready"),
    headers: (stream, { status, contentType }) =>
      event(`headers ${stream} ${status} ${contentType}`),
    data(stream, content) {
      assert.ok(!broken);
      const body = bodies.get(stream) ?? [];
      for (const octet of content) body.push(octet);
      bodies.set(stream, body);
    },
    end: (stream) => event(`end ${stream}`),
    reset: (stream) => event(`reset ${stream}`),
    goaway: (last, code) => event(`goaway ${last} ${code}`),
    broken({ why, flood }) {
      event(`broken ${why} ${flood}`);
      broken = true;
    },
  });
  const body = new Uint8Array(50);
  for (let i = 0; i < requests; i++) {
    client.request({ method: "POST", authority: "x", path: "/", sizeBytes: 50 }, body);
  }
  for (let at = 0; at < bytes.length;) {
    const size = cut();
    client.receive(bytes.subarray(at, at + size));
    at += size;
  }
  return { events, bodies, written, copied: client.copied, broken };
}

function response(stream: number, body: Uint8Array, dice: () => number): Uint8Array[] {
  const block = [0x88, 0x0f, 0x10, 3, 0x61, 0x2f, 0x62];
  const cut = dice() % block.length;
  const frames = dice() % 2 === 0
    ? [frame(TYPE.HEADERS, {
      flags: FLAG.END_HEADERS | FLAG.PADDED,
      stream,
      payload: Uint8Array.from([2, ...block, 0, 0]),
    })]
    : [
      frame(TYPE.HEADERS, { stream, payload: Uint8Array.from(block.slice(0, cut)) }),
      frame(TYPE.CONTINUATION, {
        flags: FLAG.END_HEADERS,
        stream,
        payload: Uint8Array.from(block.slice(cut)),
      }),
    ];
  let at = 0;
  while (at < body.length) {
    const size = Math.min(body.length - at, 1 + dice() % 3000);
    const flags = at + size === body.length ? FLAG.END_STREAM : 0;
    frames.push(frame(TYPE.DATA, { flags, stream, payload: body.subarray(at, at + size) }));
    at += size;
  }
  return frames;
}

function other(dice: () => number): Uint8Array {
  const stream = [0, 1, 3, 5, 7, 9, 2, 1001][dice() % 8]!;
  const payload = Uint8Array.from({ length: dice() % 4 === 0 ? dice() % 300 : dice() % 9 }, dice);
  switch (dice() % 5) {
    case 0:
      return frame(TYPE.PING, { payload: new Uint8Array(8) });
    case 1:
      return frame(TYPE.WINDOW_UPDATE, { stream, payload: words(dice() % 1000) });
    case 2:
      return frame(TYPE.SETTINGS, {
        payload: settingsPayload([[1 + dice() % 6, dice() % 3 === 0 ? dice() : dice() % 200]]),
      });
    default:
      return frame(dice() % 12, { flags: dice() % 2 === 0 ? dice() & 0xff : 0, stream, payload });
  }
}

/**
 * Feeds valid and hostile servers' frames to the HTTP/2 client. Oracles: events do not depend on
 * how the octets are cut; work and output are proportional to the input; no event follows the end;
 * valid responses arrive whole.
 */
export function fuzzHttp2(seed: number, rounds: number): { answered: number; broken: number } {
  const dice = seeded(seed);
  let answered = 0;
  let broken = 0;
  for (let round = 0; round < rounds; round++) {
    const requests = 1 + dice() % 4;
    const bodies = Array.from(
      { length: requests },
      () => Uint8Array.from({ length: 1 + dice() % 5000 }, dice),
    );
    const honest = bodies.map((body, i) => response(2 * i + 1, body, dice));
    const frames = [frame(TYPE.SETTINGS, {})];
    const hostile = dice() % 2 === 0;
    for (const one of honest) {
      if (hostile) { for (let i = dice() % 6; i > 0; i--) frames.push(other(dice)); }
      frames.push(...one);
      if (hostile && dice() % 8 === 0) frames.splice(dice() % frames.length, 1);
    }
    if (hostile && dice() % 4 === 0) {
      const again = other(dice);
      for (let i = 0; i < 400; i++) frames.push(again);
    }
    const bytes = new Uint8Array(joinBytes(frames));
    if (hostile) { for (let i = dice() % 3; i > 0; i--) bytes[dice() % bytes.length] = dice(); }

    const whole = run(bytes, requests, () => bytes.length);
    const cut = run(bytes, requests, () => 1 + dice() % [1, 12, 4000][dice() % 3]!);
    assert.deepEqual(cut.events, whole.events);
    assert.deepEqual(cut.bodies, whole.bodies);
    for (const { copied, written, events } of [whole, cut]) {
      assert.ok(copied <= COPIES * bytes.length, `${copied} octets copied of ${bytes.length}`);
      const most = REQUEST_BYTES * (requests + 1) + 2 * bytes.length;
      assert.ok(written <= most, `${written} octets written for ${bytes.length}`);
      assert.ok(events.length <= EVENTS_PER_FRAME * (bytes.length / FRAME_HEADER + 1));
    }
    if (whole.broken) broken++;
    if (hostile) continue;
    assert.equal(whole.broken, false, whole.events.join("; "));
    bodies.forEach((body, i) => {
      assert.deepEqual(whole.bodies.get(2 * i + 1), [...body]);
      assert.ok(whole.events.includes(`end ${2 * i + 1}`));
      answered++;
    });
  }
  return { answered, broken };
}
