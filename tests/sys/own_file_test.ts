import assert from "node:assert/strict";
import { requireOwn } from "../../src/sys/own_file.ts";
import { makeFifo } from "../support/doubles/special_files.ts";
import { withFolder } from "../support/run/folder.ts";
import { rootReasons, skipFor, skipUnlessLinux } from "../support/run/require.ts";

const onLinux = skipUnlessLinux();
/** Only root can give files away. */
const asRoot = skipFor(rootReasons());
const STRANGER = 4711;

const WRITABLE_FOLDER =
  /^other users may write to the folder ".*" \(use chmod go-w, or name another folder\)$/;
const WRITABLE_FILE = /^other users may write to it /;
const LINK = /^it is a symbolic link/;

/** A name, a change of a valid folder with a valid file `cache`, and the error. */
type Case = [name: string, spoil: (folder: string, file: string) => void, why: RegExp | null];

const CASES: Case[] = [
  ["valid", () => {}, null],
  ["a missing file", (_, file) => Deno.removeSync(file), null],
  ["a folder writable by others", (folder) => Deno.chmodSync(folder, 0o777), WRITABLE_FOLDER],
  ["a sticky folder writable by all", (folder) => Deno.chmodSync(folder, 0o1777), WRITABLE_FOLDER],
  ["a folder writable by the group", (folder) => Deno.chmodSync(folder, 0o770), WRITABLE_FOLDER],
  ["a file writable by the group", (_, file) => Deno.chmodSync(file, 0o660), WRITABLE_FILE],
  ["a file writable by others", (_, file) => Deno.chmodSync(file, 0o602), WRITABLE_FILE],
  ["a link to a valid file", (folder, file) => {
    Deno.renameSync(file, `${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, file);
  }, LINK],
  ["a dangling link", (folder, file) => {
    Deno.removeSync(file);
    Deno.symlinkSync(`${folder}/real`, file);
  }, LINK],
  ["a FIFO", (_, file) => {
    Deno.removeSync(file);
    makeFifo(file);
  }, /^it is not a regular file$/],
];
const ROOT_CASES: Case[] = [
  [
    "another user's folder",
    (folder) => Deno.chownSync(folder, STRANGER, null),
    /^the folder ".*" belongs to user 4711, not to root \(use chown\)$/,
  ],
  [
    "another user's file",
    (_, file) => Deno.chownSync(file, STRANGER, null),
    /^it belongs to user 4711, not to root \(use chown\)$/,
  ],
];

for (const [cases, options] of [[CASES, onLinux], [ROOT_CASES, asRoot]] as const) {
  for (const [name, spoil, why] of cases) {
    Deno.test(`requireOwn: ${name}`, options, () =>
      withFolder(async (folder) => {
        const path = `${folder}/cache`;
        Deno.writeTextFileSync(path, "", { mode: 0o600 });
        spoil(folder, path);
        if (why === null) await requireOwn(path);
        else await assert.rejects(requireOwn(path), { message: why });
      }));
  }
}
