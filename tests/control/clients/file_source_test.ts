import assert from "node:assert/strict";
import { FileSource } from "../../../src/control/clients/file_source.ts";
import { readNameLines, skippedText } from "../../../src/control/clients/name_lines.ts";
import { withFolder } from "../../support/run/folder.ts";

function read(text: string) {
  const skipped = { count: 0, first: "" };
  const names = readNameLines(text, "/etc/clients", skipped);
  return {
    names: names.map(({ address, name }) => `${address} ${name}`),
    skipped: skippedText(skipped),
  };
}

const LINES: { text: string; names?: string[]; skipped: string | RegExp }[] = [
  {
    text:
      "\ufeff# clients\r\n\r\n10.1.0.7\tkitchen/tv # left\r\n  fd00::7   printer\nfe80::1%eth0 x",
    names: ["10.1.0.7 kitchen/tv", "fd00::7 printer", "fe80::1%eth0 x"],
    skipped: "",
  },
  { text: "a\n\n10.1.0.300 x\n", skipped: /^2 lines are skipped, first \/etc\/clients:1: "a" is/ },
  { text: "\n10.1.0.7", skipped: /^a line is skipped: \/etc\/clients:2: a name is missing behind/ },
  { text: "10.1.0.0/24 net", skipped: /"10\.1\.0\.0\/24" is not an IP address/ },
  { text: "10.1.0.7 a b", skipped: /"b" follows the name \(write ADDRESS NAME\)/ },
  { text: '10.1.0.7 a"b', skipped: /is not a name \(at most 317 printable/ },
  { text: "10.1.0.7 \x1b[2J", skipped: /is not a name/ },
  { text: `10.1.0.7 ${"x".repeat(318)}`, skipped: /"x{60}…" is not a name/ },
];

for (const { text, names = [], skipped } of LINES) {
  Deno.test(`name lines: ${JSON.stringify(text.slice(0, 40))}`, () => {
    const found = read(text);
    assert.deepEqual(found.names, names);
    if (typeof skipped === "string") assert.equal(found.skipped, skipped);
    else assert.match(found.skipped, skipped);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(found.skipped, /[\x00-\x1f\x7f]/);
  });
}

const namesIn = async (source: FileSource) =>
  (await source.read())?.names.map(({ address, name }) => `${address} ${name}`) ?? null;

/** So that a file's time does not look fresh. */
const age = (path: string, seconds = 60) => {
  const then = new Date(Date.now() - seconds * 1000);
  Deno.utimeSync(path, then, then);
};

Deno.test("file source: a file is read again when it has changed", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/clients`;
    const source = new FileSource(path);
    await assert.rejects(source.read(), /^Error: there is no such file$/);
    Deno.writeTextFileSync(path, "10.1.0.7 tv\n");
    assert.deepEqual(await namesIn(source), ["10.1.0.7 tv"]);
    Deno.writeTextFileSync(path, "10.1.0.7 radio\n");
    assert.deepEqual(await namesIn(source), ["10.1.0.7 radio"]);
    Deno.removeSync(path);
    await assert.rejects(source.read(), /there is no such file/);
    Deno.writeTextFileSync(path, "10.1.0.7 radio\n");
    assert.deepEqual(await namesIn(source), ["10.1.0.7 radio"]);
  });
});

Deno.test("file source: an unchanged file is not read again", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/clients`;
    Deno.writeTextFileSync(path, "10.1.0.7 tv\n");
    age(path);
    // The change time cannot be set: the first reads may be repeated.
    const source = new FileSource(path);
    const started = performance.now();
    while (await source.read() !== null) {
      assert.ok(performance.now() - started < 60_000, "it is always read again");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    Deno.writeTextFileSync(`${folder}/other`, "");
    assert.equal(await source.read(), null);
  });
});

Deno.test("file source: a folder has the names of its files, in their order", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/b`, "10.1.0.1 b\n10.1.0.2 b\n");
    Deno.writeTextFileSync(`${folder}/a`, "10.1.0.1 a");
    Deno.writeTextFileSync(`${folder}/.hidden`, "10.1.0.3 hidden");
    Deno.mkdirSync(`${folder}/sub`);
    // As a mounted ConfigMap.
    Deno.mkdirSync(`${folder}/..2026`);
    Deno.writeTextFileSync(`${folder}/..2026/c`, "10.1.0.4 c");
    Deno.symlinkSync(`..2026/c`, `${folder}/c`);
    const source = new FileSource(`${folder}/`);
    assert.deepEqual(await namesIn(source), [
      "10.1.0.1 a",
      "10.1.0.1 b",
      "10.1.0.2 b",
      "10.1.0.4 c",
    ]);
    Deno.removeSync(`${folder}/a`);
    assert.deepEqual(await namesIn(source), ["10.1.0.1 b", "10.1.0.2 b", "10.1.0.4 c"]);
  });
});

Deno.test("file source: the name of a file cannot forge a line of the log", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a\n[ERROR] forged`, "wrong");
    const { skipped } = (await new FileSource(folder).read())!;
    assert.match(skipped, /^a line is skipped: ".*a\\n\[ERROR\] forged":1: "wrong" is not/);
  });
});

Deno.test("file source: a device, a large file and many files are refused", async () => {
  await withFolder(async (folder) => {
    const refused = async (path: string, message: RegExp) =>
      await assert.rejects(new FileSource(path).read(), message);
    const large = `${folder}/large`;
    Deno.writeTextFileSync(large, "");
    Deno.truncateSync(large, 4 * 2 ** 20 + 1);
    await refused(large, /larger than 4194304 bytes/);
    Deno.truncateSync(large, 3 * 2 ** 20);
    Deno.copyFileSync(large, `${folder}/more`);
    await refused(folder, /its files are larger than/);
    const many = `${folder}/many`;
    Deno.mkdirSync(many);
    for (let i = 0; i < 257; i++) Deno.writeTextFileSync(`${many}/${i}`, "");
    await refused(many, /more than 256 files/);
    await refused("/dev/zero", /it is a device/);
    Deno.removeSync(`${folder}/more`);
    Deno.symlinkSync("nowhere", `${folder}/more`);
    await refused(folder, /\/more: there is no such file/);
  });
});
