import assert from "node:assert/strict";
import { Lazy, loadAll, loadFor, NotLoaded, requireLoaded } from "../../src/base/lazy.ts";

function counted(value: string, imports: string[] = []): Lazy<string> {
  return new Lazy(() => {
    imports.push(value);
    return Promise.resolve(value);
  });
}

Deno.test("lazy: a value is imported once, and not before it is loaded", async () => {
  const imports: string[] = [];
  const lazy = counted("one", imports);
  assert.throws(() => lazy.value, NotLoaded);
  assert.deepEqual(imports, []);
  await lazy.load();
  await lazy.load();
  assert.equal(lazy.value, "one");
  assert.deepEqual(imports, ["one"]);
});

Deno.test("lazy: what is there already needs no loading", () => {
  const lazy = Lazy.of("one");
  assert.equal(lazy.value, "one");
  assert.equal(loadAll([lazy]), null);
});

Deno.test("loadFor: repeats the work once for all that it requires together", async () => {
  const parts = ["one", "two", "three"].map((value) => counted(value));
  let runs = 0;
  const all = await loadFor(() => {
    runs++;
    requireLoaded(parts);
    return parts.map(({ value }) => value).join(" ");
  });
  assert.equal(all, "one two three");
  assert.equal(runs, 2);
});

Deno.test("loadFor: loads in the way it is told to", async () => {
  const lazy = counted("one");
  const asked: unknown[] = [];
  const load = async (parts: readonly Lazy<unknown>[]) => {
    asked.push(...parts);
    await loadAll(parts);
  };
  assert.equal(await loadFor(() => lazy.value, load), "one");
  assert.deepEqual(asked, [lazy]);
});

Deno.test("loadFor: other errors are the work's own", async () => {
  await assert.rejects(
    () =>
      loadFor(() => {
        throw new TypeError("mine");
      }),
    { name: "TypeError", message: "mine" },
  );
});

Deno.test("lazy: a failed import is told, and tried again", async () => {
  let fails = true;
  const lazy = new Lazy(() => fails ? Promise.reject(new Error("no file")) : Promise.resolve(1));
  const message = "Cannot load a part of nodens: no file";
  await assert.rejects(() => loadFor(() => lazy.value), { message });
  fails = false;
  assert.equal(await loadFor(() => lazy.value), 1);
});
