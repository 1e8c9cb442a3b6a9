const WRITABLE_BY_OTHERS = 0o022;
/** Only owners may replace their files. */
const STICKY = 0o1000;

/**
 * Why other users could replace a socket in a folder, or the folder itself by a symbolic link of
 * theirs; null if only root and the own user could. Throws if there is no such folder.
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
