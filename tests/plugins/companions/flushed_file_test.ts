import assert from "node:assert/strict";
import { withFolder } from "../../support/run/folder.ts";
import { CacheVerbs } from "../../support/simulation/cache_verbs.ts";
import { answering, CacheWorld, NAME } from "../../support/simulation/cache_world.ts";

const OTHER = "other.example.net";

/** A cache that has begun to read its file. */
function start(file: string): { world: CacheWorld; verbs: CacheVerbs } {
  const world = new CacheWorld(answering(), `persist ${file}`);
  const verbs = new CacheVerbs(world.simulation);
  verbs.persistence.start(world.simulation.config);
  return { world, verbs };
}

/** Names in a cache that a process finds at its start. */
async function namesIn(file: string): Promise<string[]> {
  const { verbs } = start(file);
  await verbs.persistence.settled();
  const names = (await verbs.dump()).map(({ name }) => name);
  await verbs.persistence.stop(5000);
  return names.sort();
}

/** Runs a test with a file that has two names. */
function test(name: string, use: (file: string) => Promise<void>): void {
  Deno.test(name, () =>
    withFolder(async (folder) => {
      const file = `${folder}/cache`;
      const { world, verbs } = start(file);
      for (const name of [NAME, OTHER]) world.ask({ name });
      await verbs.persistence.stop(5000);
      await use(file);
    }));
}

for (
  const { what, parameters, left } of [
    { what: "a name", parameters: { name: NAME }, left: [`${OTHER}.`] },
    { what: "everything", parameters: { all: "true" }, left: [] },
  ] as { what: string; parameters: Record<string, string>; left: string[] }[]
) {
  test(`a flush of ${what} is in the file at once`, async (file) => {
    const { verbs } = start(file);
    await verbs.persistence.settled();
    const { answers, files } = await verbs.flush(parameters);
    assert.equal(answers, 2 - left.length);
    assert.deepEqual(files, [{ path: file, written: true }]);
    const kept = Deno.readFileSync(file);
    await verbs.persistence.stop(5000);
    Deno.writeFileSync(file, kept);
    assert.deepEqual(await namesIn(file), left);
  });

  test(`a flush of ${what} counts for entries that are being restored`, async (file) => {
    const { verbs } = start(file);
    const { files } = await verbs.flush(parameters);
    assert.deepEqual(files, [{ path: file, written: true }]);
    assert.ok(verbs.lines.some((line) => line.includes("restored 2 entries")), verbs.lines.join());
    assert.deepEqual((await verbs.dump()).map(({ name }) => name), left);
    await verbs.persistence.stop(5000);
    assert.deepEqual(await namesIn(file), left);
  });
}

test("a flush tells that the file could not be written", async (file) => {
  const { verbs } = start(file);
  await verbs.persistence.settled();
  const folder = file.replace(/\/[^/]*$/, "");
  // Others could write there.
  Deno.chmodSync(folder, 0o777);
  const { answers, files } = await verbs.flush({ name: NAME });
  assert.equal(answers, 1);
  assert.deepEqual(files, [{ path: file, written: false }]);
  Deno.chmodSync(folder, 0o700);
  await verbs.persistence.stop(5000);
});
