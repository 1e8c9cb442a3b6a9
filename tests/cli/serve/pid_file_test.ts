import assert from "node:assert/strict";
import { removePidFile, writePidFile } from "../../../src/cli/serve/pid_file.ts";
import { makeFifo } from "../../support/doubles/special_files.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";

const onLinux = skipUnlessLinux();

function write(prepare: (folder: string) => void, look: (folder: string) => void): string[] {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const lines: string[] = [];
  try {
    prepare(folder);
    writePidFile(`${folder}/pid`, { log: (level, line) => lines.push(`${level} ${line}`) });
    look(folder);
    return lines.map((line) => line.replace(folder, "DIR"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("the pid file contains the process id, and no other file is left", () => {
  const lines = write(() => {}, (folder) => {
    assert.equal(Deno.readTextFileSync(`${folder}/pid`), `${Deno.pid}\n`);
    assert.deepEqual(names(folder), ["pid"]);
    removePidFile(`${folder}/pid`);
    assert.deepEqual(names(folder), []);
  });
  assert.deepEqual(lines, []);
});

Deno.test(
  "a link in place of the pid file is replaced, not followed or removed",
  onLinux,
  () => {
    const lines = write((folder) => {
      Deno.writeTextFileSync(`${folder}/victim`, "precious");
      Deno.symlinkSync(`${folder}/victim`, `${folder}/pid`);
    }, (folder) => {
      assert.equal(Deno.readTextFileSync(`${folder}/victim`), "precious");
      assert.ok(Deno.lstatSync(`${folder}/pid`).isFile);
      Deno.writeTextFileSync(`${folder}/victim`, `${Deno.pid}\n`);
      Deno.removeSync(`${folder}/pid`);
      Deno.symlinkSync(`${folder}/victim`, `${folder}/pid`);
      removePidFile(`${folder}/pid`);
      assert.ok(Deno.lstatSync(`${folder}/pid`).isSymlink);
    });
    assert.deepEqual(lines, []);
  },
);

Deno.test("a FIFO in place of the pid file is replaced without blocking", onLinux, () => {
  const lines = write((folder) => makeFifo(`${folder}/pid`), (folder) => {
    assert.equal(Deno.readTextFileSync(`${folder}/pid`), `${Deno.pid}\n`);
    Deno.removeSync(`${folder}/pid`);
    makeFifo(`${folder}/pid`);
    removePidFile(`${folder}/pid`);
    assert.ok(Deno.lstatSync(`${folder}/pid`).isFifo);
  });
  assert.deepEqual(lines, []);
});

Deno.test("the pid file of another process is not removed", () => {
  write(() => {}, (folder) => {
    Deno.writeTextFileSync(`${folder}/pid`, "1\n");
    removePidFile(`${folder}/pid`);
    assert.deepEqual(names(folder), ["pid"]);
  });
});

Deno.test("a missing folder, or a directory in place of the pid file, is logged as an error", () => {
  const missing = write((folder) => Deno.removeSync(folder), (folder) => Deno.mkdirSync(folder));
  assert.deepEqual(missing, ['error Cannot write the pid file "DIR/pid": there is no such folder']);
  const taken = write((folder) => Deno.mkdirSync(`${folder}/pid`), (folder) => {
    assert.deepEqual(names(folder), ["pid"]);
  });
  assert.equal(taken.length, 1);
  assert.match(taken[0]!, /^error Cannot write the pid file "DIR\/pid": .*directory/i);
});
