/**
 * Cost of a warm start: writing and reading a large cache, the slices that delay queries, and the
 * first answer of a restored process.
 *
 *   deno run -A bench/persist.ts [--entries 200000] [--nodens "COMMAND"]
 */
import { parseArgs } from "node:util";
import { Exchange } from "../src/engine/exchange/exchange.ts";
import { Memory } from "../src/engine/memory.ts";
import { Response } from "../src/engine/response/response.ts";
import { HashKey } from "../src/engine/question/keyed_hash.ts";
import { readStoredQuestion } from "../src/engine/question/read.ts";
import { SnapshotWriter } from "../src/plugins/cache/companion/snapshot_files.ts";
import { type SaveReply, SNAPSHOT_START } from "../src/plugins/cache/persist/requests.ts";
import { Snapshot } from "../src/plugins/cache/persist/snapshot.ts";
import { MAX_SLICE_SIZE } from "../src/plugins/cache/persist/snapshot_file.ts";
import { Store } from "../src/plugins/cache/store/store.ts";
import { print } from "./output.ts";
import { buildQuery, lowestLatency, type Probed, probeWhile } from "./persist_probe.ts";

const PORT = 15_304;
/** The batch sizes of a serving process (`plugins/cache/companion/persistence.ts`). */
const BATCH = { first: 32, most: 1000 };
const KEY = new HashKey(0x5eed, 0xbead);
const TTL_SECONDS = 3600;

const { values: flags } = parseArgs({
  options: { entries: { type: "string", default: "200000" }, nodens: { type: "string" } },
});
const entries = Number(flags.entries);
if (!Number.isInteger(entries) || entries < 1) {
  throw new RangeError(`--entries: "${flags.entries}" is not a whole number above 0`);
}

function makeCache(): { success: Store; snapshot: Snapshot } {
  const success = new Store(entries);
  const snapshot = new Snapshot({
    content: { success, denial: new Store(entries) },
    maxTtlSeconds: { success: TTL_SECONDS, denial: TTL_SECONDS },
    staleSeconds: 0,
    bothClasses: false,
    ecs: false,
    hashKey: KEY,
    keeps: () => true,
  });
  return { success, snapshot };
}

function fill(store: Store): void {
  const memory = new Memory(512);
  const exchange = new Exchange(memory);
  const response = new Response(memory);
  for (let i = 0; i < entries; i++) {
    const query = buildQuery(nameOf(i));
    memory.bytes.set(query);
    memory.view.setUint16(2, 0x8180);
    memory.view.setUint16(6, 1);
    memory.bytes.set([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1], query.length);
    exchange.length = response.length = query.length + 16;
    response.ttlsAt = (response.length + 1) & ~1;
    response.ttlCount = 1;
    memory.view.setUint16(response.ttlsAt, query.length + 6, true);
    readStoredQuestion(exchange, KEY);
    store.insert(exchange, response, 0x8580, TTL_SECONDS, 0);
  }
}

function nameOf(i: number): string {
  return `name-${String(i).padStart(7, "0")}.bench.example.org`;
}

/** Sum and quantiles of slices in milliseconds. */
function describe(slicesMs: number[]): string {
  const sorted = slicesMs.toSorted((a, b) => a - b);
  const sum = sorted.reduce((total, ms) => total + ms, 0);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(2);
  return `${sum.toFixed(0)} ms in ${sorted.length} slices: ` +
    `median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

const folder = Deno.makeTempDirSync({ prefix: "nodens_persist_" });
try {
  const file = `${folder}/cache`;
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  const bytes = new Uint8Array(memory);
  const full = makeCache();
  fill(full.success);
  print(`${full.success.size} entries, Deno ${Deno.version.deno}`);

  const saved: number[] = [];
  const loaded: number[] = [];
  const empty = makeCache();
  const beganMs = performance.now();
  const writer = await SnapshotWriter.open(file, Date.now());
  let loadMs = 0;
  let most: number = BATCH.first;
  for (let from: SaveReply["next"] = SNAPSHOT_START; from !== null;) {
    const sliceMs = performance.now();
    const { sizeBytes, entries, next } = full.snapshot.save({ type: "save", memory, from }, 0);
    saved.push(performance.now() - sliceMs);
    if (entries > 0) await writer.add(bytes, { sizeBytes, entries, timeMs: Date.now() });
    const alsoMs = performance.now();
    for (let at = 0; at < sizeBytes;) {
      const batchMs = performance.now();
      at = empty.snapshot.load(
        { type: "load", memory, sizeBytes, from: at, most, elapsedTenths: 0 },
        0,
      ).next;
      loaded.push(performance.now() - batchMs);
      most = Math.min(2 * most, BATCH.most);
    }
    loadMs += performance.now() - alsoMs;
    from = next;
  }
  await writer.finish();
  const { size } = await Deno.stat(file);
  const wroteMs = performance.now() - beganMs - loadMs;
  if (empty.success.size !== entries) throw new Error(`${empty.success.size} entries were read`);
  print(`file: ${(size / 1e6).toFixed(1)} MB, ${(size / entries).toFixed(0)} bytes an entry`);
  print(`writing, in the data plane: ${describe(saved)}`);
  print(`writing, in all, with fsync: ${wroteMs.toFixed(0)} ms`);
  print(`reading, in the data plane: ${describe(loaded)}`);

  for (const kept of [false, true]) {
    const probed: Probed[] = [];
    for (let round = 0; round < 5; round++) {
      probed.push(
        await probeWhile({
          folder,
          file: kept ? file : null,
          port: PORT,
          entries,
          command: flags.nodens,
          name: nameOf(entries - 1),
        }),
      );
    }
    print(`${kept ? "start with the file" : "start without"}: ${lowestLatency(probed)}`);
  }
} finally {
  Deno.removeSync(folder, { recursive: true });
}
