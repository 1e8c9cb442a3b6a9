import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  FILE_HEADER_SIZE,
  FILE_SUMMED_SIZE,
  setChecksum,
} from "../../../src/plugins/cache/persist/snapshot_file.ts";
import { askUdp, startUpstream } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { startProcess, type TestProcess } from "../../support/processes/process.ts";
import { isLinux } from "../../support/run/require.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { until } from "../../support/run/until.ts";

const linux = isLinux();
const NAMES = Array.from({ length: 30 }, (_, i) => `n${i}.example.org`);

/** A folder with a Corefile and its persisted cache, and an upstream that can be stopped. */
class Scene {
  readonly folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  readonly port = freePort();
  readonly file: string;
  readonly #args: string[];
  readonly #upstreamPort = freePort();
  #upstream: ReturnType<typeof startUpstream> | null = null;

  constructor(options: { file?: string; interval?: string; args?: string[] } = {}) {
    this.file = `${this.folder}/${options.file ?? "cache"}`;
    this.#args = options.args ?? [];
    Deno.writeTextFileSync(
      `${this.folder}/Corefile`,
      `.:${this.port} {
        bind 127.0.0.1
        cache {
          persist ${this.file} ${options.interval ?? "1h"}
        }
        forward . 127.0.0.1:${this.#upstreamPort}
      }`,
    );
    this.#upstream = startUpstream(this.#upstreamPort, (bytes) => {
      const query = decode(bytes);
      return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7", 300)] });
    });
  }

  start(): Promise<TestProcess> {
    return startProcess(Deno.execPath(), {
      args: ["run", "-A", MAIN, "-conf", `${this.folder}/Corefile`, ...this.#args],
      ready: (output) => /^nodens \d/m.test(output),
    });
  }

  async ask(name: string): Promise<number | null> {
    const answer = decode(await askUdp(queryBytes({ name }), { port: this.port, limitMs: 15_000 }));
    if (answer.rcode !== "NOERROR") return null;
    return (answer.answers![0] as { ttl: number }).ttl;
  }

  async fill(): Promise<void> {
    for (const name of NAMES) assert.notEqual(await this.ask(name), null);
  }

  async stopUpstream(): Promise<void> {
    await this.#upstream?.close();
    this.#upstream = null;
  }

  async end(server: TestProcess): Promise<void> {
    assert.equal((await server.stop()).code, 0, server.output);
    const names = [...Deno.readDirSync(this.folder)].map(({ name }) => name);
    assert.ok(names.includes("cache"), `${names}: ${server.output}`);
  }

  age(seconds: number): void {
    const bytes = Deno.readFileSync(this.file);
    const view = new DataView(bytes.buffer);
    const back = (at: number) =>
      view.setFloat64(at, view.getFloat64(at, true) - 1000 * seconds, true);
    back(16);
    for (let at = FILE_HEADER_SIZE; at < bytes.length; at += 16 + view.getUint32(at, true)) {
      back(at + 8);
    }
    const checksum = crc32(bytes.subarray(FILE_HEADER_SIZE));
    setChecksum(bytes, crc32(bytes.subarray(0, FILE_SUMMED_SIZE), checksum));
    Deno.writeFileSync(this.file, bytes);
  }

  async remove(): Promise<void> {
    await this.stopUpstream();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const loaded = (server: TestProcess) =>
  until(() => /entries from/.test(server.output), "the file is read");

async function assertWarm(scene: Scene): Promise<void> {
  for (const name of NAMES) {
    const ttl = await scene.ask(name);
    assert.ok(ttl !== null && ttl <= 200 && ttl > 100, `${name}: TTL ${ttl}`);
  }
}

for (
  const args of linux ? [[], ["-workers", "2"], ["-io", "portable"]] : [["-io", "portable"]]
) {
  const title = args.length === 0 ? "" : ` with ${args.join(" ")}`;
  Deno.test(`the cache survives SIGTERM and a restart${title}`, async () => {
    const scene = new Scene({ args });
    const first = await scene.start();
    // The kernel chooses the worker; the first one's cache is persisted.
    for (let i = 0; i < (args[0] === "-workers" ? 20 : 1); i++) await scene.fill();
    await scene.end(first);
    await scene.stopUpstream();
    scene.age(100);
    const second = await scene.start();
    await loaded(second);
    assert.match(
      second.output,
      /\[INFO\] plugin\/cache: restored 30 entries from ".*\/cache" in \d+ ms/,
    );
    // Many ports, to reach both workers.
    await assertWarm(scene);
    assert.equal(await scene.ask("other.example.org"), null);
    await second.stop();
    await scene.remove();
  });
}

Deno.test("the cache saved last survives SIGKILL", async () => {
  const scene = new Scene({ interval: "1s" });
  const first = await scene.start();
  await scene.fill();
  const sizeOf = () => {
    try {
      return Deno.statSync(scene.file).size;
    } catch {
      return 0;
    }
  };
  // Each of the thirty takes about 100 bytes; the first files may contain fewer.
  await until(() => sizeOf() > 30 * 80, "thirty entries are written");
  Deno.kill(first.pid, "SIGKILL");
  await first.ended;
  await scene.stopUpstream();
  scene.age(100);
  const second = await scene.start();
  await loaded(second);
  await assertWarm(scene);
  await second.stop();
  await scene.remove();
});

Deno.test("a file that has expired or is from the future is not restored", async () => {
  const scene = new Scene();
  const first = await scene.start();
  await scene.fill();
  await scene.end(first);
  await scene.stopUpstream();
  for (
    const { seconds, says } of [
      { seconds: 7200, says: /all of it has expired: it was written 120 minutes ago/ },
      { seconds: -7200 - 3600, says: /it was written \d+ minutes in the future/ },
    ]
  ) {
    scene.age(seconds);
    const kept = Deno.readFileSync(scene.file);
    const server = await scene.start();
    await until(() => says.test(server.output), "it says why");
    assert.equal(await scene.ask(NAMES[0]!), null);
    await server.stop();
    Deno.writeFileSync(scene.file, kept);
  }
  await scene.remove();
});

Deno.test("an invalid file causes a warning, and the cache starts empty", async () => {
  const scene = new Scene();
  Deno.writeFileSync(scene.file, crypto.getRandomValues(new Uint8Array(5000)));
  const first = await scene.start();
  await until(() => first.output.includes("it is not a cache of nodens"), "it warns");
  assert.match(
    first.output,
    /\[WARNING\] plugin\/cache: Cannot read ".*\/cache": it is not a cache of nodens/,
  );
  await scene.fill();
  assert.equal((await first.stop()).code, 0);
  const second = await scene.start();
  await loaded(second);
  await second.stop();
  await scene.remove();
});

Deno.test("a missing folder causes one warning, and the file is written once it exists", async () => {
  const scene = new Scene({ file: "absent/cache", interval: "1s" });
  const server = await scene.start();
  await until(() => server.output.includes("Cannot write"), "it warns");
  await scene.fill();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(server.output.match(/Cannot write/g)!.length, 1, server.output);
  Deno.mkdirSync(`${scene.folder}/absent`);
  await until(() => server.output.includes("is written again"), "it is written");
  assert.ok(Deno.statSync(scene.file).isFile);
  assert.equal((await server.stop()).code, 0);
  await scene.remove();
});
