import assert from "node:assert/strict";
import { requireOwn } from "../../src/sys/own_file.ts";
import { makeFifo } from "../support/doubles/special_files.ts";
import { rootReasons, skipFor, skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();
/** Only root can give files away. */
const asRoot = skipFor(rootReasons());
const STRANGER = 4711;

interface Case {
  name: string;
  /** Changes a valid folder with a valid file `cache`. */
  spoil: (folder: string) => void;
  why: RegExp | null;
  root?: boolean;
}

const CASES: Case[] = [
  { name: "valid", spoil: () => {}, why: null },
  { name: "a missing file", spoil: (folder) => Deno.removeSync(`${folder}/cache`), why: null },
  {
    name: "a folder writable by others",
    spoil: (folder) => Deno.chmodSync(folder, 0o777),
    why: /^other users may write to the folder ".*" \(use chmod go-w, or name another folder\)$/,
  },
  {
    name: "a sticky folder writable by others",
    spoil: (folder) => Deno.chmodSync(folder, 0o1777),
    why: /^other users may write to the folder/,
  },
  {
    name: "a folder writable by the group",
    spoil: (folder) => Deno.chmodSync(folder, 0o770),
    why: /^other users may write to the folder/,
  },
  {
    name: "a file writable by the group",
    spoil: (folder) => Deno.chmodSync(`${folder}/cache`, 0o660),
    why: /^other users may write to it/,
  },
  {
    name: "a file writable by others",
    spoil: (folder) => Deno.chmodSync(`${folder}/cache`, 0o602),
    why: /^other users may write to it/,
  },
  {
    name: "a link to a valid file",
    spoil(folder) {
      Deno.renameSync(`${folder}/cache`, `${folder}/real`);
      Deno.symlinkSync(`${folder}/real`, `${folder}/cache`);
    },
    why: /^it is a symbolic link/,
  },
  {
    name: "a dangling link",
    spoil(folder) {
      Deno.removeSync(`${folder}/cache`);
      Deno.symlinkSync(`${folder}/real`, `${folder}/cache`);
    },
    why: /^it is a symbolic link/,
  },
  {
    name: "a FIFO",
    spoil(folder) {
      Deno.removeSync(`${folder}/cache`);
      makeFifo(`${folder}/cache`);
    },
    why: /^it is not a regular file$/,
  },
  {
    name: "another user's folder",
    spoil: (folder) => Deno.chownSync(folder, STRANGER, null),
    why: /^the folder ".*" belongs to user 4711, not to root \(use chown\)$/,
    root: true,
  },
  {
    name: "another user's file",
    spoil: (folder) => Deno.chownSync(`${folder}/cache`, STRANGER, null),
    why: /^it belongs to user 4711, not to root \(use chown\)$/,
    root: true,
  },
];

for (const { name, spoil, why, root = false } of CASES) {
  Deno.test(`requireOwn: ${name}`, root ? asRoot : onLinux, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
    const path = `${folder}/cache`;
    Deno.writeTextFileSync(path, "", { mode: 0o600 });
    try {
      spoil(folder);
      if (why === null) await requireOwn(path);
      else await assert.rejects(requireOwn(path), { message: why });
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}
