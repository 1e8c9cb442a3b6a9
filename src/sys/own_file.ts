/**
 * Files that nobody else may put in place of nodens' own: what is read from them is believed.
 *
 * The file and its folder must belong to the own user or root, and nobody else may write to them. In
 * a folder where everybody may write (/tmp, sticky or not), anybody can be first.
 */

/** Bits of the mode that let the group or everybody write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Throws an error with the remedy where somebody else may write to the folder of the file, or to the
 * file, or where the file is a link or no regular file. A file that is not there is all right.
 */
export async function requireOwn(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const uid = ownUser();
  const folder = path.includes("/") ? path.replace(/\/[^/]*$/, "") || "/" : ".";
  requireOwner(await Deno.stat(folder), { what: `the folder "${folder}"`, uid });
  let file: Deno.FileInfo;
  try {
    file = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (file.isSymlink) throw new Error("it is a symbolic link (name the file itself)");
  if (!file.isFile) throw new Error("it is not a regular file");
  requireOwner(file, { what: "it", uid });
}

function requireOwner(
  { uid, mode }: Deno.FileInfo,
  { what, uid: own }: { what: string; uid: number },
): void {
  if (uid !== own && uid !== 0) {
    const allowed = own === 0 ? "root" : `user ${own} or root`;
    throw new Error(`${what} belongs to user ${uid}, not to ${allowed} (use chown)`);
  }
  if (mode !== null && (mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new Error(`other users may write to ${what} (use chmod go-w, or name another folder)`);
  }
}

function ownUser(): number {
  if (Deno.permissions.querySync({ name: "sys", kind: "uid" }).state !== "granted") {
    throw new Error("nodens may not ask which user it is (--allow-sys=uid)");
  }
  return Deno.uid()!;
}
