import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Plane } from "../../../src/plugins/companion.ts";
import { Persistence } from "../../../src/plugins/cache/companion/persistence.ts";
import { SnapshotWriter } from "../../../src/plugins/cache/companion/snapshot_files.ts";
import type { LoadRequest, SaveRequest } from "../../../src/plugins/cache/persist/requests.ts";
import { askUdp, startUpstream, withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  loadSlice,
  makeCache,
  put,
  saveAll,
  type TestCache,
} from "../../support/messages/snapshots.ts";
import { driversHere } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

type Request = LoadRequest | SaveRequest;

function answer({ snapshot }: TestCache, request: Request): Promise<unknown> {
  return Promise.resolve(
    request.type === "save" ? snapshot.save(request, 0) : snapshot.load(request, 0),
  );
}

function start(planes: Plane[], corefile: string) {
  const lines: string[] = [];
  const clock = new VirtualClock({ wallMs: Date.now() });
  const log = (level: string, line: string) => void lines.push(`${level}: ${line}`);
  const persistence = new Persistence({ planes, log, shared: false, clock });
  const source = { file: "Corefile", text: corefile, defaultPort: 53 };
  persistence.start(loadConfig(source, fakeHost()).config);
  return { persistence, lines, clock };
}

function corefile(file: string, port = 53, upstream = 53): string {
  return `.:${port} {\n bind 127.0.0.1\n cache {\n persist ${file} 1s\n }\n` +
    ` forward . 127.0.0.1:${upstream}\n}\n`;
}

function persistenceOver(file: string, ask: (request: Request) => Promise<unknown>) {
  const plane = {
    restarts: 0,
    ask: ({ request }: { request: unknown }) => ask(request as Request),
  };
  return { ...start([plane], corefile(file)), plane };
}

async function inFolder(use: (file: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  try {
    await use(`${folder}/cache`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function withFile(
  use: (file: string) => Promise<void>,
  change: (bytes: Uint8Array) => void = () => {},
): Promise<void> {
  return inFolder(async (file) => {
    const cache = makeCache({ seed: 1 });
    for (let i = 0; i < 100; i++) put(cache, { name: `n${i}.example.org` });
    const writer = await SnapshotWriter.open(file, Date.now());
    for (const { bytes, entries } of saveAll(cache)) {
      change(bytes);
      await writer.add(bytes, { sizeBytes: bytes.length, entries, timeMs: Date.now() });
    }
    await writer.finish();
    await use(file);
  });
}

Deno.test("persistence: a stop during the restore is bounded and keeps the file", async () => {
  await withFile(async (file) => {
    const before = Deno.readFileSync(file);
    const asked: string[] = [];
    const reply = Promise.withResolvers<unknown>();
    const { persistence, clock } = persistenceOver(file, ({ type }) => {
      asked.push(type);
      return reply.promise;
    });
    await until(() => asked.length > 0);
    const stopped = persistence.stop(50);
    await clock.advance(50);
    await stopped;
    reply.resolve(undefined);
    assert.deepEqual(asked, ["load"]);
    assert.deepEqual(Deno.readFileSync(file), before);
  });
});

Deno.test("persistence: a stop before the search for a missing file writes the cache", async () => {
  await inFolder(async (file) => {
    const cache = makeCache({ seed: 2 });
    put(cache, { name: "www.example.org" });
    const { persistence } = persistenceOver(file, (request) => answer(cache, request));
    await persistence.stop(5000);
    assert.ok(Deno.statSync(file).size > 40 + 16);
  });
});

Deno.test("persistence: a stop with a silent data plane is bounded and keeps the file", async () => {
  await withFile(async (file) => {
    const before = Deno.readFileSync(file);
    const cache = makeCache({ seed: 2 });
    const end = Promise.withResolvers<unknown>();
    let saves = 0;
    const { persistence, lines, clock } = persistenceOver(file, (request) => {
      if (request.type === "load") return answer(cache, request);
      saves++;
      return end.promise;
    });
    await persistence.settled();
    assert.match(lines[0]!, /info: plugin\/cache: restored 100 entries from/);
    const stopped = persistence.stop(50);
    await until(() => saves === 1);
    await clock.advance(50);
    await stopped;
    assert.match(
      lines.at(-1)!,
      /warning: .*Cannot write ".*": it was not finished before the time limit for stopping/,
    );
    assert.deepEqual(Deno.readFileSync(file), before);
    end.resolve(undefined);
  });
});

for (const when of ["before the file is written", "while it is written"] as const) {
  Deno.test(`persistence: a data plane replaced ${when} is empty, so the file is kept`, async () => {
    await withFile(async (file) => {
      const before = Deno.readFileSync(file);
      const [full, empty] = [makeCache({ seed: 2 }), makeCache({ seed: 3 })];
      const { persistence, lines, plane } = persistenceOver(file, (request) => {
        if (request.type === "load") return answer(full, request);
        plane.restarts = 1;
        return answer(empty, request);
      });
      await persistence.settled();
      // `restarted` is only called once the new thread serves, and `ask` waits for that.
      if (when === "before the file is written") plane.restarts = 1;
      await persistence.stop(5000);
      assert.deepEqual(Deno.readFileSync(file), before);
      assert.equal(lines.length, 1, lines.join("\n"));
    });
  });
}

const DAMAGE: { title: string; change: (bytes: Uint8Array) => void; lines: RegExp[] }[] = [
  {
    title: "a malformed entry is skipped with a warning",
    change: (bytes) => bytes[24 + 12 + 16]! ^= 0xff,
    lines: [
      /^warning: plugin\/cache: skipped 1 malformed entries of ".*"$/,
      /^info: plugin\/cache: restored 99 entries from ".*" in/,
    ],
  },
  {
    title: "an entry that does not end within its slice ends the restore",
    change: (bytes) => bytes[12 + 1]! ^= 0xff,
    lines: [/^warning: plugin\/cache: Cannot read ".*": it is damaged: an entry is truncated/],
  },
];

for (const { title, change, lines: expected } of DAMAGE) {
  Deno.test(`damage with a correct checksum: ${title}`, () =>
    withFile(async (file) => {
      const cache = makeCache({ seed: 2 });
      const { persistence, lines } = persistenceOver(file, (request) => answer(cache, request));
      await persistence.settled();
      assert.equal(lines.length, expected.length);
      expected.forEach((pattern, i) => assert.match(lines[i]!, pattern));
      const { size } = cache.success;
      await persistence.stop(5000);
      const after = makeCache({ seed: 3 });
      const again = persistenceOver(file, (request) => answer(after, request));
      await again.persistence.settled();
      assert.equal(after.success.size, size, "the cache was written again");
    }, change));
}

for (const driver of driversHere()) {
  Deno.test(`${driver}: a data plane that was replaced restores the file`, async () => {
    await inFolder(async (file) => {
      const [port, upstreamPort] = [freePort(), freePort()];
      const upstream = startUpstream(upstreamPort, (bytes) => {
        const query = decode(bytes);
        return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
      });
      const text = corefile(file, port, upstreamPort);
      await withDataPlane({ driver, corefile: text }, async (plane) => {
        const { persistence, lines, clock } = start([plane], text);
        plane.onRestarted = () => persistence.restarted(plane);
        const rcode = async (name: string) =>
          decode(await askUdp(queryBytes({ name }), { port, limitMs: 15_000 })).rcode;
        assert.equal(await rcode("www.example.org"), "NOERROR");
        await persistence.settled();
        await clock.advance(1000);
        await persistence.settled();
        assert.ok(Deno.statSync(file).size > 40 + 16);
        await upstream.close();
        if (driver === "linux") {
          plane.provoke("throw");
          await until(() => lines.some((line) => line.includes("entries from")));
        }
        assert.equal(await rcode("www.example.org"), "NOERROR");
        assert.equal(await rcode("other.example.org"), "SERVFAIL");
        await persistence.stop(2000);
        const bytes = Deno.readFileSync(file).subarray(40 + 16);
        assert.deepEqual(loadSlice(makeCache({ seed: 3 }), bytes), {
          next: bytes.length,
          taken: 1,
          left: 0,
          malformed: 0,
        });
      });
    });
  });
}
