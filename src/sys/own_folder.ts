const WRITABLE_BY_OTHERS = 0o022;
/** Only owners may replace their files. */
const STICKY = 0o1000;

/**
 * How other users could replace a socket in a folder, or the folder by a symbolic link; null if
 * only root and the own user could. Throws if it is missing.
 */
export function folderFault(folder: string): string | null {
  const link = Deno.lstatSync(folder.replace(/\/+$/, "") || "/");
  const { uid, mode } = link.isSymlink ? Deno.statSync(folder) : link;
  const isTrusted = (user: number | null) => user === 0 || user === Deno.uid();
  if (!isTrusted(link.uid)) {
    return `the ${link.isSymlink ? "symbolic link" : "folder"} belongs to user ${link.uid}`;
  }
  if (!isTrusted(uid)) return `the folder belongs to user ${uid}`;
  const bits = mode ?? 0;
  const writable = (bits & WRITABLE_BY_OTHERS) !== 0 && (bits & STICKY) === 0;
  return writable ? "other users may write to it" : null;
}
