const WRITABLE_BY_OTHERS = 0o022;

/**
 * Throws with the remedy if another user could replace or modify it, even in a sticky folder
 * (/tmp), or create it first. Accepts a missing file.
 */
export async function requireOwn(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const uid = ownUser();
  const folder = path.includes("/") ? path.replace(/\/[^/]*$/, "") || "/" : ".";
  requireOwner(`the folder "${folder}"`, await Deno.stat(folder), uid);
  let file: Deno.FileInfo;
  try {
    file = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (file.isSymlink) throw new Error("it is a symbolic link (name the file itself)");
  if (!file.isFile) throw new Error("it is not a regular file");
  requireOwner("it", file, uid);
}

function requireOwner(what: string, { uid, mode }: Deno.FileInfo, own: number): void {
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
    throw new Error("nodens may not ask which user it is (--allow-sys)");
  }
  return Deno.uid()!;
}
