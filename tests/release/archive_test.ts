import assert from "node:assert/strict";
import { checksums, packFolder } from "../../release/archive.ts";
import { mustRun, runCommand } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";

Deno.test("archive: the same files give the same archive on every machine", async () => {
  await withFolder(async (folder) => {
    const files = { "b": "second", "a": "first", "sub/c": "third" };
    const places = ["one", "two"].map((name) => `${folder}/${name}`);
    for (const [i, place] of places.entries()) {
      Deno.mkdirSync(`${place}/nodens-1.2.3/sub`, { recursive: true });
      const entries = Object.entries(files);
      for (const [name, text] of i === 0 ? entries : entries.reverse()) {
        const path = `${place}/nodens-1.2.3/${name}`;
        Deno.writeTextFileSync(path, text);
        Deno.chmodSync(path, i === 0 ? 0o600 : 0o664);
        Deno.utimeSync(path, 1000 * i, 1000 * i);
      }
      Deno.chmodSync(`${place}/nodens-1.2.3/a`, i === 0 ? 0o700 : 0o775);
      await packFolder(`${place}/nodens-1.2.3`, {
        archive: `${place}/nodens.tar.gz`,
        epochSeconds: 1_700_000_000,
      });
    }
    const [one, two] = places.map((place) => Deno.readFileSync(`${place}/nodens.tar.gz`));
    assert.deepEqual(one, two);
    const args = ["--list", "--verbose", "--numeric-owner", "--utc", "--file"];
    const listed = await mustRun("tar", [...args, `${places[0]}/nodens.tar.gz`]);
    const rows = listed.trim().split("\n").map((line) => line.replaceAll(/\s+/g, " "));
    assert.deepEqual(rows, [
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 nodens-1.2.3/",
      "-rwxr-xr-x 0/0 5 2023-11-14 22:13 nodens-1.2.3/a",
      "-rw-r--r-- 0/0 6 2023-11-14 22:13 nodens-1.2.3/b",
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 nodens-1.2.3/sub/",
      "-rw-r--r-- 0/0 5 2023-11-14 22:13 nodens-1.2.3/sub/c",
    ]);
    await assert.rejects(
      packFolder(`${folder}/gone`, { archive: `${folder}/x.tar.gz`, epochSeconds: 0 }),
      /^Error: Cannot run "tar .*gone.*No such file/s,
    );
  });
});

Deno.test("checksums: sha256sum accepts them, and refuses a changed file", async () => {
  await withFolder(async (folder) => {
    for (const name of ["b", "a"]) Deno.writeTextFileSync(`${folder}/${name}`, name);
    const text = checksums(folder, ["b", "a"]);
    assert.match(text, /^[0-9a-f]{64} {2}a\n[0-9a-f]{64} {2}b\n$/);
    Deno.writeTextFileSync(`${folder}/SHA256SUMS`, text);
    const check = () =>
      runCommand("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
    assert.deepEqual((await check()).stdout, "a: OK\nb: OK\n");
    Deno.writeTextFileSync(`${folder}/b`, "c");
    assert.equal((await check()).ok, false);
  });
});
