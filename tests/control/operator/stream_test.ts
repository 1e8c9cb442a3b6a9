import assert from "node:assert/strict";
import { CommandError } from "../../../src/cli/failure.ts";
import { ask } from "../../../src/cli/operator/ask.ts";
import { type Verb, VerbError } from "../../../src/plugins/verbs.ts";
import { withFolder } from "../../support/run/folder.ts";
import { openSocket, request } from "./scene.ts";

/** Serves a stream during `use`. */
async function withStream(
  values: (gone: AbortSignal) => AsyncIterable<object>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const stream: Verb = { name: "stream", run: ({ gone }) => values(gone) };
    const { socket } = await openSocket(path, [stream]);
    try {
      await use(path);
    } finally {
      await socket.close();
    }
  });
}

/** Chunks of the answer (RFC 9112 section 7.1). */
async function* chunksAt(path: string): AsyncGenerator<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  await conn.write(new TextEncoder().encode("GET /v1/stream HTTP/1.1\r\nHost: n\r\n\r\n"));
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let head = true;;) {
    const end = text.indexOf(head ? "\r\n\r\n" : "\r\n");
    const size = head ? 0 : parseInt(text, 16);
    if (end >= 0 && text.length >= end + 2 + size + 2) {
      if (!head) yield text.slice(end + 2, end + 2 + size);
      text = text.slice(head ? end + 4 : end + 2 + size + 2);
      head = false;
      continue;
    }
    const count = await conn.read(buffer);
    if (count === null) return;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

Deno.test("lines that are ready are written together, and each once", () =>
  withStream(async function* () {
    for (let number = 0; number < 5000; number++) yield { number };
  }, async (path) => {
    const chunks = await Array.fromAsync(chunksAt(path));
    assert.ok(chunks.length < 50, `${chunks.length} chunks`);
    assert.ok(chunks.every(({ length }) => length < 17_000));
    const lines = chunks.join("").trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line).number), Array.from(lines.keys()));
    assert.equal(lines.length, 5000);
  }));

Deno.test("a line is written although the next one is long in coming", () =>
  withStream(async function* (gone) {
    yield { number: 1 };
    await new Promise((resolve) => gone.addEventListener("abort", resolve));
  }, async (path) => {
    for await (const chunk of chunksAt(path)) {
      assert.equal(chunk, '{"number":1}\n');
      break;
    }
  }));

Deno.test("a stream that cannot go on tells why in its last line", () =>
  withStream(async function* () {
    yield { number: 1 };
    await Promise.resolve();
    throw new VerbError("ask again", 503);
  }, async (path) => {
    const { text } = await request(path, "/v1/stream");
    assert.equal(text, '{"number":1}\n{"error":"ask again"}\n');
    const answers: unknown[] = [];
    await assert.rejects(async () => {
      for await (const answer of ask({ verb: "stream" }, path)) answers.push(answer);
    }, new CommandError("ask again"));
    assert.deepEqual(answers, [{ number: 1 }]);
  }));

Deno.test("a stream that fails has no proper end", () =>
  withStream(async function* () {
    yield { number: 1 };
    await Promise.resolve();
    throw new Error("a fault");
  }, async (path) => {
    await assert.rejects(() => request(path, "/v1/stream"));
  }));

Deno.test("a stream without lines has an empty answer", () =>
  withStream(async function* () {}, async (path) => {
    assert.deepEqual(await request(path, "/v1/stream"), { status: 200, text: "" });
  }));
