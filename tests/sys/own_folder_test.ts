import assert from "node:assert/strict";
import { folderFault } from "../../src/sys/own_folder.ts";
import { withFolder } from "../support/run/folder.ts";
import { rootReasons, skipFor } from "../support/run/require.ts";

/** Only root can give files away. */
const asRoot = skipFor(rootReasons());
const STRANGER = 4711;

/** A change of a valid folder, and the fault. */
const CASES: [name: string, spoil: (folder: string) => void, fault: string | null][] = [
  ["valid", () => {}, null],
  ["writable by all", (folder) => Deno.chmodSync(folder, 0o777), "other users may write to it"],
  [
    "writable by the group",
    (folder) => Deno.chmodSync(folder, 0o770),
    "other users may write to it",
  ],
  ["sticky", (folder) => Deno.chmodSync(folder, 0o1777), null],
  [
    "of another user",
    (folder) => Deno.chownSync(folder, STRANGER, STRANGER),
    "the folder belongs to user 4711",
  ],
  ["an own link to a valid one", (folder) => {
    Deno.renameSync(folder, `${folder}2`);
    Deno.symlinkSync(`${folder}2`, folder);
  }, null],
  ["an own link to one of another user", (folder) => {
    Deno.renameSync(folder, `${folder}2`);
    Deno.symlinkSync(`${folder}2`, folder);
    Deno.chownSync(`${folder}2`, STRANGER, STRANGER);
  }, "the folder belongs to user 4711"],
];

for (const [name, spoil, fault] of CASES) {
  for (const slashes of ["", "/", "//"]) {
    Deno.test({
      name: `a folder that is ${name} has ${fault ?? "no fault"} ("${slashes}")`,
      ...asRoot,
      fn: () =>
        withFolder((parent) => {
          const folder = `${parent}/folder`;
          Deno.mkdirSync(folder);
          spoil(folder);
          assert.equal(folderFault(folder + slashes), fault);
          return Promise.resolve();
        }),
    });
  }
}

Deno.test("a missing folder is an error", () =>
  withFolder((parent) => {
    assert.throws(() => folderFault(`${parent}/none`), Deno.errors.NotFound);
    return Promise.resolve();
  }));
