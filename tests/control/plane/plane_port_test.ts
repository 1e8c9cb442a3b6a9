/** Cost of reading a message, which blocks the data plane. */
import assert from "node:assert/strict";
import { receiveMessageOnPort } from "node:worker_threads";
import { loadConfig } from "../../../src/loading/load.ts";
import type { ControlMessage } from "../../../src/control/plane/messages.ts";
import {
  type PostedMessage,
  postToPlane,
  readPosted,
} from "../../../src/control/plane/plane_port.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import "../../support/engine/all_plugins.ts";

const ROOT = new URL("../../../src/", import.meta.url).pathname;

/** Sends a message through a port; returns the result and the shortest time of several reads. */
function send(make: () => { message: ControlMessage; transfer: Transferable[] }) {
  let leastMs = Infinity;
  let read: ControlMessage | null = null;
  for (let i = 0; i < 20; i++) {
    const { port1, port2 } = new MessageChannel();
    const { message, transfer } = make();
    postToPlane(port1, message, transfer);
    const beganMs = performance.now();
    const received = receiveMessageOnPort(port2 as never)!;
    leastMs = Math.min(leastMs, performance.now() - beganMs);
    read = readPosted((received as { message: PostedMessage }).message);
    port1.close();
    port2.close();
  }
  return { read: read!, leastMs };
}

function delivery(sizeBytes: number) {
  const table = new ArrayBuffer(sizeBytes);
  const data = { table };
  return { message: { type: "deliver", block: 0, position: 1, data } as const, transfer: [table] };
}

Deno.test("plane port: a message of 1 MiB costs a data plane as little as one of 1 KiB", () => {
  const small = send(() => delivery(1024));
  const large = send(() => delivery(2 ** 20));
  assert.equal(
    (large.read as unknown as { data: { table: ArrayBuffer } }).data.table.byteLength,
    2 ** 20,
  );
  const ratio = large.leastMs / small.leastMs;
  assert.ok(ratio < 50, `${ratio.toFixed(1)} times`);
});

Deno.test("plane port: messages to a data plane contain no typed arrays", () => {
  const { port1, port2 } = new MessageChannel();
  const rows: { data: unknown; where: string }[] = [
    { data: { table: new Uint8Array(8) }, where: "message.data.table" },
    { data: { lists: [[1], [new Float64Array(1)]] }, where: "message.data.lists.1.0" },
    { data: new DataView(new ArrayBuffer(1)), where: "message.data" },
  ];
  for (const { data, where } of rows) {
    assert.throws(() => postToPlane(port1, { type: "deliver", block: 0, position: 0, data }), {
      name: "TypeError",
      message: `Cannot send ${where} to a data plane: it is a typed array (send its buffer)`,
    });
  }
  const shared = { memory: new SharedArrayBuffer(8), bytes: new ArrayBuffer(8), port: port2 };
  postToPlane(port1, { type: "deliver", block: 0, position: 0, data: shared }, [port2]);
  port1.close();
});

Deno.test("plane port: only postToPlane sends messages to data planes", () => {
  const text = ["data_plane", "plane_port"].map((name) =>
    Deno.readTextFileSync(`${ROOT}control/plane/${name}.ts`)
  ).join("");
  const sends = [...text.matchAll(/(\S+)\.postMessage\(/g)].map(([, who]) => who);
  // This call starts the thread, which does not serve yet.
  assert.deepEqual(sends, ["worker", "port"]);
});

Deno.test("plane port: a configuration is sent as text without loss", () => {
  let count = 0;
  for (const { name } of Deno.readDirSync(new URL("../../corefile/", import.meta.url))) {
    if (!name.endsWith(".corefiletest")) continue;
    const path = new URL(`../../corefile/${name}`, import.meta.url);
    const text = Deno.readTextFileSync(path).split(/^-{3,}$/m)[0]!;
    let config;
    try {
      config = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost()).config;
    } catch {
      continue; // It is to be refused, or needs files.
    }
    const more = { deliveries: [], opened: [], closing: [] };
    const message: ControlMessage = { type: "configure", id: 1, config, ...more };
    let posted: PostedMessage | null = null;
    postToPlane({ postMessage: (one: PostedMessage) => posted = one }, message);
    assert.equal(typeof (posted! as { config: unknown }).config, "string");
    assert.deepStrictEqual(readPosted(posted!), message, name);
    count++;
  }
  assert.ok(count > 40, `${count} configurations`);
});
