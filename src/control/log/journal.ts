/**
 * Whether a descriptor of this process leads to systemd's journal, or to a regular file.
 * `$JOURNAL_STREAM` has the journal's device and inode; a redirected output has others
 * (systemd.exec(5)).
 */
export async function readDescriptor(
  descriptor: 1 | 2,
): Promise<{ journal: boolean; file: boolean }> {
  // Loaded here, since only serving needs it.
  const { fstatSync } = await import("node:fs");
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    const journal = Deno.env.get("JOURNAL_STREAM") === `${stat.dev}:${stat.ino}`;
    return { journal, file: stat.isFile() };
  } catch {
    return { journal: false, file: false };
  }
}
