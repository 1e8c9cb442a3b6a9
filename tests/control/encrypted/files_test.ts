import assert from "node:assert/strict";
import { CredentialFiles } from "../../../src/control/encrypted/tls/files.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { answer, QUERY, scenes } from "./scene.ts";

const PEM = "-----BEGIN CERTIFICATE-----\n";

/** A file system that hangs until `resume`, and counts calls. */
class HangingFiles {
  readonly clock = new VirtualClock();
  readonly files = new CredentialFiles({
    clock: this.clock,
    stat: (path) => {
      this.stats++;
      return this.#hang(() => Deno.stat(path));
    },
    read: () => {
      this.reads++;
      return this.#hang(() => Promise.resolve(PEM));
    },
  });
  stats = 0;
  reads = 0;
  readonly #resumed = Promise.withResolvers<void>();
  readonly #calls: Promise<unknown>[] = [];

  #hang<T>(work: () => Promise<T>): Promise<T> {
    const call = this.#resumed.promise.then(work);
    this.#calls.push(call);
    return call;
  }

  async resume(): Promise<void> {
    this.#resumed.resolve();
    for (let settled = -1; settled !== this.#calls.length;) {
      settled = this.#calls.length;
      await Promise.allSettled(this.#calls);
      await this.clock.advance(0);
    }
  }

  /** Expects work to fail within the second allowed for a read. */
  async rejects(work: Promise<unknown>, why: RegExp): Promise<void> {
    const rejected = assert.rejects(work, why);
    await this.clock.advance(1000);
    await rejected;
  }
}

function pem(caFile: string | null) {
  return { caFile, certFile: null, keyFile: null };
}

Deno.test("a PEM file that hangs is read once, however many streams need it", async () => {
  const system = new HangingFiles();
  const { files } = system;
  const path = Deno.makeTempFileSync();
  const why = new RegExp(`Cannot read "${path}": it could not be read within 1 s`);
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      Array.from({ length: 20 }, () => system.rejects(files.read(pem(path)), why)),
    );
  }
  assert.deepEqual([system.stats, system.reads], [1, 0]);
  await system.resume();
  assert.equal((await files.read(pem(path))).credentials.ca, PEM);
  Deno.removeSync(path);
});

Deno.test("the number of PEM files that hang is bounded", async () => {
  const system = new HangingFiles();
  for (let i = 0; i < 20; i++) {
    await system.rejects(system.files.read(pem(`/nonexistent/${i}.pem`)), /Cannot read/);
  }
  assert.equal(system.stats, 8);
  await system.rejects(system.files.version(pem("/nonexistent/20.pem")), /8 other files hang/);
  await system.resume();
});

Deno.test("the built-in authorities do not replace the system's if reading these hangs", async () => {
  const system = new HangingFiles();
  const why = /Cannot read "\/etc\/.*: it could not be read within/;
  await system.rejects(system.files.read(pem(null)), why);
  await system.resume();
});

scenes("DNS over TLS")(
  "connections survive while their PEM files hang, and close when those are replaced",
  async (scene) => {
    const system = new HangingFiles();
    const { control } = scene.pair;
    const client = scene.open(await scene.startTls({ answer }));
    await client.ask(QUERY);
    const context = scene.pair.context as { files: CredentialFiles };
    const { files } = context;
    context.files = system.files;
    const checked = control.checkCertificates();
    await system.clock.advance(1000);
    await checked;
    assert.equal(system.stats, 1);
    assert.equal(client.why, null);
    await system.resume();
    context.files = files;
    Deno.writeTextFileSync(scene.authority.caFile, "\n", { append: true });
    await control.checkCertificates();
    await client.until(() => client.why !== null);
    assert.equal(client.why, "certificates have been replaced");
  },
);
