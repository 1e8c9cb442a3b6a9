import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import type { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { Persistence } from "../../../src/plugins/cache/companion/persistence.ts";
import { SnapshotWriter } from "../../../src/plugins/cache/companion/snapshot_files.ts";
import type { LoadRequest, SaveRequest } from "../../../src/plugins/cache/persist/snapshot.ts";
import { askUdp, startUpstream, withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { loadSlice, makeCache, put, saveAll } from "../../support/messages/snapshots.ts";
import { driversHere } from "../../support/run/require.ts";

type Request = LoadRequest | SaveRequest;

function corefile(file: string, port = 53, upstream = 53): string {
  return `.:${port} {\n bind 127.0.0.1\n cache {\n persist ${file} 1s\n }\n` +
    ` forward . 127.0.0.1:${upstream}\n}\n`;
}

/** A persistence over a data plane that is a function. */
function persistenceOver(file: string, ask: (request: Request) => Promise<unknown>) {
  const lines: string[] = [];
  const fake = { restarts: 0, ask: ({ request }: { request: Request }) => ask(request) };
  const plane = fake as unknown as DataPlane;
  const persistence = new Persistence([plane], (level, line) => lines.push(`${level}: ${line}`));
  const source = { file: "Corefile", text: corefile(file), defaultPort: 53 };
  persistence.start(loadConfig(source, fakeHost()).config);
  return { persistence, lines, plane: fake };
}

async function inFolder(use: (file: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  try {
    await use(`${folder}/cache`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Writes a file with some entries as nodens does. */
async function writeFile(file: string, change: (bytes: Uint8Array) => void = () => {}) {
  const cache = makeCache({ seed: 1 });
  for (let i = 0; i < 100; i++) put(cache, { name: `n${i}.example.org` });
  const writer = await SnapshotWriter.open(file, Date.now());
  for (const { bytes, entries } of saveAll(cache)) {
    change(bytes);
    await writer.add(bytes, { sizeBytes: bytes.length, entries, timeMs: Date.now() });
  }
  await writer.finish();
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const limitMs = performance.now() + 15_000;
  while (!await condition()) {
    if (performance.now() > limitMs) throw new Error("it did not happen within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("a stop while the file is still being read leaves it as it is, and does not wait long", async () => {
  await inFolder(async (file) => {
    await writeFile(file);
    const before = Deno.readFileSync(file);
    const asked: string[] = [];
    const answer = Promise.withResolvers<unknown>();
    const { persistence } = persistenceOver(file, ({ type }) => {
      asked.push(type);
      return answer.promise;
    });
    await until(() => asked.length > 0);
    await persistence.stop(50);
    answer.resolve(undefined);
    assert.deepEqual(asked, ["load"]);
    assert.deepEqual(Deno.readFileSync(file), before);
  });
});

Deno.test("a stop before it is even known that there is no file: what there is is written", async () => {
  await inFolder(async (file) => {
    const cache = makeCache({ seed: 2 });
    put(cache, { name: "www.example.org" });
    const { persistence } = persistenceOver(
      file,
      (request) => Promise.resolve(cache.snapshot.save(request as SaveRequest, 0)),
    );
    await persistence.stop(5000);
    assert.ok(Deno.statSync(file).size > 40 + 16);
  });
});

Deno.test("a data plane that does not answer: the stop is bounded, the file stays", async () => {
  await inFolder(async (file) => {
    await writeFile(file);
    const before = Deno.readFileSync(file);
    const cache = makeCache({ seed: 2 });
    const end = Promise.withResolvers<unknown>();
    const { persistence, lines } = persistenceOver(
      file,
      (request) =>
        request.type === "save" ? end.promise : Promise.resolve(cache.snapshot.load(request, 0)),
    );
    await until(() => lines.length > 0);
    assert.match(lines[0]!, /info: plugin\/cache: 100 entries from/);
    await persistence.stop(50);
    assert.match(
      lines.at(-1)!,
      /warning: .*Cannot write ".*": it was not done when the time to stop/,
    );
    assert.deepEqual(Deno.readFileSync(file), before);
    end.resolve(undefined);
  });
});

for (const when of ["before the file is written", "while it is written"] as const) {
  Deno.test(`a data plane that is replaced ${when} is empty, and the file stays`, async () => {
    await inFolder(async (file) => {
      await writeFile(file);
      const before = Deno.readFileSync(file);
      const [full, empty] = [makeCache({ seed: 2 }), makeCache({ seed: 3 })];
      const { persistence, lines, plane } = persistenceOver(file, (request) => {
        if (request.type === "load") return Promise.resolve(full.snapshot.load(request, 0));
        plane.restarts = 1;
        return Promise.resolve(empty.snapshot.save(request, 0));
      });
      await until(() => lines.length > 0);
      // Its restart is told only once it serves, and asks wait for that.
      if (when === "before the file is written") plane.restarts = 1;
      await persistence.stop(5000);
      assert.deepEqual(Deno.readFileSync(file), before);
      assert.equal(lines.length, 1, lines.join("\n"));
    });
  });
}

const DAMAGE: { title: string; change: (bytes: Uint8Array) => void; lines: RegExp[] }[] = [
  {
    title: "a malformed entry is left out alone, with a warning",
    // The type of its question.
    change: (bytes) => bytes[24 + 12 + 16]! ^= 0xff,
    lines: [
      /^warning: plugin\/cache: 1 malformed entries of ".*" were left out$/,
      /^info: plugin\/cache: 99 entries from ".*", in/,
    ],
  },
  {
    title: "an entry that does not end within its slice: the rest is refused",
    change: (bytes) => bytes[12 + 1]! ^= 0xff,
    lines: [/^warning: plugin\/cache: Cannot read ".*": it is damaged: an entry is cut off/],
  },
];

for (const { title, change, lines: expected } of DAMAGE) {
  Deno.test(`damage under a right checksum: ${title}`, () => damagedFile(change, expected));
}

async function damagedFile(change: (bytes: Uint8Array) => void, expected: RegExp[]) {
  await inFolder(async (file) => {
    await writeFile(file, change);
    const cache = makeCache({ seed: 2 });
    const { persistence, lines } = persistenceOver(
      file,
      (request) =>
        Promise.resolve(
          request.type === "save"
            ? cache.snapshot.save(request, 0)
            : cache.snapshot.load(request, 0),
        ),
    );
    await until(() => lines.length >= expected.length);
    assert.equal(lines.length, expected.length);
    expected.forEach((pattern, i) => assert.match(lines[i]!, pattern));
    const { size } = cache.success;
    await persistence.stop(5000);
    const after = makeCache({ seed: 3 });
    const again = persistenceOver(
      file,
      (request) => Promise.resolve(after.snapshot.load(request as LoadRequest, 0)),
    );
    await again.persistence.settled();
    assert.equal(after.success.size, size, "writing goes on");
  });
}

for (const driver of driversHere()) {
  Deno.test(`${driver}: what the file holds is known again after the data plane was replaced`, async () => {
    await inFolder(async (file) => {
      const [port, upstreamPort] = [freePort(), freePort()];
      const upstream = startUpstream(upstreamPort, (bytes) => {
        const query = decode(bytes);
        return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
      });
      const text = corefile(file, port, upstreamPort);
      await withDataPlane({ driver, corefile: text }, async (plane, logs) => {
        const persistence = new Persistence(
          [plane],
          (level, line) => logs.push(`${level}: ${line}`),
        );
        plane.onRestarted = () => persistence.restarted(plane);
        const source = { file: "Corefile", text, defaultPort: 53 };
        persistence.start(loadConfig(source, fakeHost()).config);
        const query = queryBytes({ name: "www.example.org" });
        assert.equal(decode(await askUdp(query, { port })).rcode, "NOERROR");
        const size = () => {
          try {
            return Deno.statSync(file).size;
          } catch {
            return 0;
          }
        };
        // More than the headers: the first file may have been begun before the answer came.
        await until(() => size() > 40 + 16);
        await upstream.close();
        if (driver === "linux") {
          plane.provoke("throw");
          await until(() => logs.some((line) => line.includes("entries from")));
        }
        assert.equal(decode(await askUdp(query, { port })).rcode, "NOERROR");
        const other = queryBytes({ name: "other.example.org" });
        assert.equal(decode(await askUdp(other, { port, limitMs: 15_000 })).rcode, "SERVFAIL");
        await persistence.stop(2000);
        const cache = makeCache({ seed: 3 });
        const bytes = Deno.readFileSync(file).subarray(40 + 16);
        assert.deepEqual(loadSlice(cache, bytes), {
          next: bytes.length,
          taken: 1,
          left: 0,
          malformed: 0,
        });
      });
    });
  });
}
