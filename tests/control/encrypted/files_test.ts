/** PEM files on a file system that hangs: what that costs, and what it must not change. */
import assert from "node:assert/strict";
import { CredentialFiles } from "../../../src/control/encrypted/tls/files.ts";
import { retireStale } from "../../../src/control/encrypted/renewal.ts";
import { makeAuthority } from "../../support/servers/certificates.ts";
import { LanePair } from "../../support/engine/lane.ts";
import { decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { skipUnless } from "../../support/run/require.ts";
import { startTls } from "../../support/servers/tls_servers.ts";

/** Short, so that the tests are; how long it takes in truth tells nothing. */
const LIMIT_MS = 5;
const PEM = "-----BEGIN CERTIFICATE-----\n";

/** A file system that hangs until it is let go on, and counts what it is asked. */
class HangingFiles {
  stats = 0;
  reads = 0;
  hangs = true;
  #go = Promise.withResolvers<void>();

  readonly stat = async (path: string): Promise<Deno.FileInfo> => {
    this.stats++;
    if (this.hangs) await this.#go.promise;
    return await Deno.stat(path);
  };

  readonly read = async (): Promise<string> => {
    this.reads++;
    if (this.hangs) await this.#go.promise;
    return PEM;
  };

  goOn(): void {
    this.hangs = false;
    this.#go.resolve();
  }
}

/** Waits until a look that was let go on has ended. */
async function untilLooked(files: CredentialFiles, path: string): Promise<void> {
  for (let i = 0; i < 5000; i++) {
    try {
      await files.version(pem(path));
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  throw new Error(`${path} cannot be looked at`);
}

function pem(caFile: string) {
  return { caFile, certFile: null, keyFile: null };
}

Deno.test("a PEM file that hangs is looked at once, however many streams want it", async () => {
  const system = new HangingFiles();
  const files = new CredentialFiles({ ...system, limitMs: LIMIT_MS });
  const path = Deno.makeTempFileSync();
  const why = new RegExp(`Cannot read "${path}": it could not be read within 0.005 s`);
  for (let round = 0; round < 3; round++) {
    const all = Array.from({ length: 20 }, () => assert.rejects(files.read(pem(path)), why));
    await Promise.all(all);
  }
  assert.deepEqual([system.stats, system.reads], [1, 0]);
  system.goOn();
  await untilLooked(files, path);
  assert.equal((await files.read(pem(path))).credentials.ca, PEM);
  Deno.removeSync(path);
});

Deno.test("however many PEM files hang, a bounded number is looked at", async () => {
  const system = new HangingFiles();
  const files = new CredentialFiles({ ...system, limitMs: LIMIT_MS });
  for (let i = 0; i < 20; i++) {
    await assert.rejects(files.read(pem(`/nonexistent/${i}.pem`)), /Cannot read/);
  }
  assert.equal(system.stats, 8);
  await assert.rejects(files.version(pem("/nonexistent/20.pem")), /8 other files hangs/);
  system.goOn();
});

Deno.test("the built-in authorities do not replace those of a system that hangs", async () => {
  const system = new HangingFiles();
  const files = new CredentialFiles({ ...system, limitMs: LIMIT_MS });
  const none = { caFile: null, certFile: null, keyFile: null };
  await assert.rejects(files.read(none), /Cannot read "\/etc\/.*: it could not be read within/);
  system.goOn();
});

Deno.test({
  name: "connections stay while their PEM files hang, and go when those are replaced",
  ...skipUnless("openssl"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const authority = makeAuthority();
    const system = new HangingFiles();
    const pair = new LanePair();
    const server = await startTls(authority.issue("DNS:dns.example.org"), {
      answer: (bytes) => responseBytes(decode(bytes), {}),
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile });
    await client.ask(queryBytes({ name: "www.example.org" }));
    const lanes = new Map([[1, { lane: pair.control }]]);
    await retireStale(lanes, new CredentialFiles({ ...system, limitMs: LIMIT_MS }));
    await pair.settled();
    assert.equal(client.why, null);
    system.goOn();
    Deno.writeTextFileSync(authority.caFile, "\n", { append: true });
    await retireStale(lanes, pair.context.files);
    await client.until(() => client.why !== null);
    assert.equal(client.why, "certificates have been replaced");
    pair.close();
    await server.close();
    authority.remove();
  },
});
