import assert from "node:assert/strict";
import {
  SnapshotReader,
  SnapshotWriter,
} from "../../../src/plugins/cache/companion/snapshot_files.ts";
import {
  encodeFileHeader,
  FILE_HEADER_SIZE,
  FILE_SUMMED_SIZE,
  MAX_SLICE_SIZE,
  setChecksum,
  SLICE_HEADER_SIZE,
  tenthsSince,
  whyUseless,
} from "../../../src/plugins/cache/persist/snapshot_file.ts";
import { crc32 } from "node:zlib";
import { skipFor } from "../../support/run/require.ts";

const TIME_MS = 1_700_000_000_123;
const SLICES = [8, 64, 0, 24].map((size, i) => new Uint8Array(size).fill(i + 1));

async function inFolder(use: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  try {
    await use(`${folder}/cache`, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function write(path: string): Promise<void> {
  const writer = await SnapshotWriter.open(path, TIME_MS);
  let timeMs = TIME_MS;
  for (const bytes of SLICES) {
    await writer.add(bytes, { sizeBytes: bytes.length, entries: 1, timeMs: timeMs++ });
  }
  await writer.finish();
}

async function read(path: string) {
  using reader = await SnapshotReader.open(path);
  if (reader === null) return null;
  const slices = [];
  const memory = new Uint8Array(MAX_SLICE_SIZE);
  for (let header = reader.next(memory); header !== null; header = reader.next(memory)) {
    slices.push({ ...header, bytes: memory.slice(0, header.sizeBytes) });
  }
  return { timeMs: reader.timeMs, slices };
}

Deno.test("snapshot file: it has the written content, is private, and leaves no temporary file", async () => {
  await inFolder(async (path, folder) => {
    await write(path);
    assert.deepEqual(await read(path), {
      timeMs: TIME_MS,
      slices: SLICES.map((bytes, i) => ({
        sizeBytes: bytes.length,
        entries: 1,
        timeMs: TIME_MS + i,
        bytes,
      })),
    });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["cache"]);
    if (Deno.build.os !== "windows") assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  });
});

Deno.test("snapshot file: an unfinished write leaves the previous file and no temporary file", async () => {
  await inFolder(async (path, folder) => {
    await write(path);
    const before = Deno.readFileSync(path);
    {
      await using writer = await SnapshotWriter.open(path, TIME_MS + 1000);
      await writer.add(SLICES[1]!, { sizeBytes: 64, entries: 1, timeMs: TIME_MS });
      assert.deepEqual(Deno.readFileSync(path), before);
    }
    assert.deepEqual(Deno.readFileSync(path), before);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["cache"]);
  });
});

Deno.test("snapshot file: a leftover temporary file is removed, and a link is not followed", async () => {
  await inFolder(async (path, folder) => {
    Deno.writeTextFileSync(`${folder}/other`, "precious");
    Deno.symlinkSync(`${folder}/other`, `${path}.tmp`);
    await write(path);
    assert.equal(Deno.readTextFileSync(`${folder}/other`), "precious");
    assert.equal((await read(path))!.slices.length, SLICES.length);
  });
});

Deno.test("snapshot file: a change of any single byte is refused", async () => {
  await inFolder(async (path) => {
    await write(path);
    const good = Deno.readFileSync(path);
    for (let at = 0; at < good.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const bad = good.slice();
        bad[at] = bad[at]! ^ flip;
        Deno.writeFileSync(path, bad);
        await assert.rejects(read(path), /not a cache of nodens|format|damaged/, `${at}`);
      }
    }
  });
});

Deno.test("snapshot file: truncated and longer files are refused", async () => {
  await inFolder(async (path) => {
    await write(path);
    const good = Deno.readFileSync(path);
    for (let length = 0; length < good.length; length++) {
      Deno.writeFileSync(path, good.subarray(0, length));
      await assert.rejects(read(path), /not a cache of nodens|damaged/, `${length}`);
    }
    Deno.writeFileSync(path, Uint8Array.from([...good, 0]));
    await assert.rejects(read(path), /damaged: \d+ bytes instead of \d+/);
  });
});

function sealed(payload: Uint8Array): Uint8Array {
  const header = encodeFileHeader({ slices: 1, timeMs: TIME_MS, sizeBytes: payload.length });
  setChecksum(header, crc32(header.subarray(0, FILE_SUMMED_SIZE), crc32(payload)));
  return Uint8Array.from([...header, ...payload]);
}

function slice(sizeBytes: number, timeMs: number, rest: number): Uint8Array {
  const bytes = new Uint8Array(SLICE_HEADER_SIZE + rest);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, sizeBytes, true);
  view.setFloat64(8, timeMs, true);
  return bytes;
}

const FORGED = [
  { title: "cut off in a slice's header", payload: new Uint8Array(8) },
  { title: "a slice longer than the file", payload: slice(16, TIME_MS, 8) },
  { title: "a slice above the maximum", payload: slice(MAX_SLICE_SIZE + 8, TIME_MS, 8) },
  { title: "a slice of the largest size", payload: slice(0xffffffff, TIME_MS, 8) },
  { title: "a slice that is not a multiple of eight", payload: slice(4, TIME_MS, 8) },
  {
    title: "more slices than the header counts",
    payload: Uint8Array.from([...slice(8, TIME_MS, 8), ...slice(8, TIME_MS, 8)]),
  },
  { title: "fewer slices than the header counts", payload: new Uint8Array(0) },
  { title: "a slice without a time", payload: slice(8, NaN, 8) },
  { title: "a slice with an infinite time", payload: slice(8, Infinity, 8) },
];

for (const { title, payload } of FORGED) {
  Deno.test(`damage with a correct checksum is refused: ${title}`, async () => {
    await inFolder(async (path) => {
      Deno.writeFileSync(path, sealed(payload));
      await assert.rejects(read(path), /damaged/);
    });
  });
}

Deno.test("snapshot file: only a missing file is not an error", async () => {
  await inFolder(async (path, folder) => {
    assert.equal(await read(path), null);
    Deno.mkdirSync(`${folder}/sub`, { mode: 0o700 });
    await assert.rejects(read(`${folder}/sub`), /not a regular file/);
    Deno.writeTextFileSync(path, "nameserver 192.0.2.53\n".repeat(100));
    await assert.rejects(read(path), /not a cache of nodens/);
    await write(path);
    const bytes = Deno.readFileSync(path);
    bytes[8] = 9;
    Deno.writeFileSync(path, bytes);
    await assert.rejects(read(path), /it has format 9, but this version reads format 1/);
    assert.ok(bytes.length > FILE_HEADER_SIZE);
  });
});

const HOUR_MS = 3_600_000;
for (
  const { title, agoMs, why } of [
    { title: "a moment ago", agoMs: 1000, why: null },
    { title: "as old as an entry may be", agoMs: HOUR_MS, why: null },
    { title: "older", agoMs: HOUR_MS + 1, why: /all of it has expired: it was written 60 minutes/ },
    { title: "a little ahead", agoMs: -300_000, why: null },
    { title: "further ahead", agoMs: -600_000, why: /10 minutes in the future \(is the clock/ },
    { title: "at an unknown time", agoMs: NaN, why: /it has no time/ },
  ]
) {
  Deno.test(`snapshot file: written ${title}, it is ${why === null ? "useful" : "useless"}`, () => {
    const found = whyUseless({ timeMs: TIME_MS - agoMs, nowMs: TIME_MS, longestMs: HOUR_MS });
    if (why === null) assert.equal(found, null);
    else assert.match(found!, why);
  });
}

Deno.test("snapshot file: its age is never negative and has at most 30 bits", () => {
  assert.equal(tenthsSince(1000, 2550), 15);
  assert.equal(tenthsSince(2550, 1000), 0);
  assert.equal(tenthsSince(0, 1e18), 0x3fffffff);
});

Deno.test("snapshot file: a folder writable by others is refused", {
  ...skipFor(Deno.build.os === "windows" ? ["Windows has no symbolic links for everybody"] : []),
}, async () => {
  await inFolder(async (path, folder) => {
    await write(path);
    Deno.chmodSync(folder, 0o1777);
    await assert.rejects(read(path), /^Error: other users may write to the folder/);
    await assert.rejects(write(path), /^Error: other users may write to the folder/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["cache"]);
    Deno.chmodSync(folder, 0o700);
    Deno.renameSync(path, `${path}.real`);
    Deno.symlinkSync(`${path}.real`, path);
    await assert.rejects(read(path), /symbolic link/);
    await assert.rejects(write(path), /symbolic link/);
  });
});

Deno.test("snapshot file: two writers do not publish each other's unfinished file", async () => {
  await inFolder(async (path) => {
    await write(path);
    const first = await SnapshotWriter.open(path, TIME_MS);
    const second = await SnapshotWriter.open(path, TIME_MS + 1);
    await assert.rejects(first.finish(), /another process writes the same file/);
    assert.equal((await read(path))!.timeMs, TIME_MS);
    await second.finish();
    assert.equal((await read(path))!.timeMs, TIME_MS + 1);
  });
});
