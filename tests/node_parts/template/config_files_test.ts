import assert from "node:assert/strict";
import {
  denoConfigFiles,
  denoSteps,
  writeAtomically,
} from "../../../src/node/template/config_files.ts";
import { missing, rootReasons, skipFor } from "../../support/run/require.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  try {
    await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("denoConfigFiles: replaces a file atomically, without leftovers", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/Corefile`;
    await denoConfigFiles.write(path, "one");
    const before = await Deno.open(path);
    // A killed process may have had the same id.
    Deno.writeTextFileSync(`${folder}/.Corefile.${Deno.pid}.tmp`, "rest of another");
    await denoConfigFiles.write(path, "two");
    assert.equal(Deno.readTextFileSync(path), "two");
    // Open files keep the old content.
    assert.equal(await new Response(before.readable).text(), "one");
    assert.deepEqual(names(folder), ["Corefile"]);
  });
});

Deno.test("denoConfigFiles: replaces the file behind a symbolic link, not the link", async () => {
  await inFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.writeTextFileSync(`${folder}/real/file`, "one");
    Deno.symlinkSync("real/file", `${folder}/link`);
    await denoConfigFiles.write(`${folder}/link`, "two");
    assert.equal(Deno.readLinkSync(`${folder}/link`), "real/file");
    assert.equal(Deno.readTextFileSync(`${folder}/real/file`), "two");
    assert.deepEqual(names(`${folder}/real`), ["file"]);
  });
});

function failing(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(`os error ${code}`), { code }));
}

/** Failing steps and their effect. */
const FAILURES: {
  what: string;
  steps: Partial<typeof denoSteps>;
  text?: string;
  error?: RegExp;
}[] = [
  { what: "a directory that is read-only", steps: { create: failing("EROFS") }, text: "two" },
  { what: "a directory without permission", steps: { create: failing("EACCES") }, text: "two" },
  {
    what: "Deno's own error for it",
    steps: { create: () => Promise.reject(new Deno.errors.PermissionDenied("no")) },
    text: "two",
  },
  { what: "a file that is mounted alone", steps: { rename: failing("EBUSY") }, text: "two" },
  { what: "a full disk", steps: { create: failing("ENOSPC") }, error: /^os error ENOSPC$/ },
  { what: "a rename that fails otherwise", steps: { rename: failing("EIO") }, error: /EIO/ },
  {
    what: "a file that is read-only, too",
    steps: { create: failing("EROFS"), overwrite: failing("EROFS") },
    error: /^os error EROFS, and in place: os error EROFS$/,
  },
];

Deno.test("writeAtomically: overwrites a file only if it cannot be replaced", async () => {
  for (const { what, steps, text = "one, longer", error } of FAILURES) {
    await inFolder(async (folder) => {
      const path = `${folder}/Corefile`;
      Deno.writeTextFileSync(path, "one, longer");
      const writing = writeAtomically(path, "two", { ...denoSteps, ...steps });
      if (error === undefined) await writing;
      else await assert.rejects(writing, { message: error }, what);
      assert.equal(Deno.readTextFileSync(path), text, what);
      assert.deepEqual(names(folder), ["Corefile"], what);
    });
  }
});

const reasons = [
  ...rootReasons(),
  ...missing(["unshare"]),
];

Deno.test({
  name: "denoConfigFiles: overwrites a file that is mounted into a read-only directory",
  ...skipFor(reasons),
  async fn() {
    await inFolder(async (folder) => {
      Deno.mkdirSync(`${folder}/etc`);
      Deno.writeTextFileSync(`${folder}/etc/Corefile`, "");
      Deno.writeTextFileSync(`${folder}/file`, "one, longer");
      const module = new URL("../../../src/node/template/config_files.ts", import.meta.url);
      const mounts = [
        `mount --bind '${folder}/etc' '${folder}/etc'`,
        `mount --bind '${folder}/file' '${folder}/etc/Corefile'`,
        `mount -o remount,bind,ro '${folder}/etc'`,
        `if touch '${folder}/etc/x' 2>/dev/null; then exit 9; fi`,
        `exec '${Deno.execPath()}' eval --quiet "
          import { denoConfigFiles } from '${module}';
          await denoConfigFiles.write('${folder}/etc/Corefile', 'two');
          console.log(await denoConfigFiles.read('${folder}/etc/Corefile'));"`,
      ];
      const { stdout, stderr } = await new Deno.Command("unshare", {
        args: ["--mount", "--propagation", "private", "sh", "-ec", mounts.join("\n")],
      }).output();
      const said = new TextDecoder();
      assert.equal(said.decode(stdout), "two\n", said.decode(stderr));
      assert.equal(Deno.readTextFileSync(`${folder}/file`), "two");
    });
  },
});

Deno.test("denoConfigFiles: refuses directories, other encodings and large files", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(() => denoConfigFiles.read(`${folder}/none`), Deno.errors.NotFound);
    await assert.rejects(() => denoConfigFiles.read(folder), {
      message: "it is a directory, not a regular file",
    });
    Deno.writeFileSync(`${folder}/file`, Uint8Array.of(0x61, 0xff));
    await assert.rejects(
      () => denoConfigFiles.read(`${folder}/file`),
      { message: "it is not UTF-8 text" },
    );
    Deno.truncateSync(`${folder}/file`, 1024 * 1024 + 1);
    await assert.rejects(
      () => denoConfigFiles.read(`${folder}/file`),
      { message: "it is larger than 1048576 bytes" },
    );
    assert.equal(await denoConfigFiles.isDirectory(folder), true);
    assert.equal(await denoConfigFiles.isDirectory(`${folder}/file`), false);
    assert.equal(await denoConfigFiles.isDirectory(`${folder}/none`), false);
  });
});
