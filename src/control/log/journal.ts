/** Where a file descriptor of this process leads. */
export interface Descriptor {
  /** To the journal of systemd. */
  journal: boolean;
  /** To a regular file. */
  file: boolean;
}

/**
 * Where a file descriptor of this process leads. `$JOURNAL_STREAM` names the device and inode that
 * systemd connected to the journal, which a redirected output no longer has (systemd.exec(5)).
 */
export async function readDescriptor(descriptor: 1 | 2): Promise<Descriptor> {
  // Loaded when a server starts: no other command needs it.
  const { fstatSync } = await import("node:fs");
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    const journal = Deno.env.get("JOURNAL_STREAM") === `${stat.dev}:${stat.ino}`;
    return { journal, file: stat.isFile() };
  } catch {
    return { journal: false, file: false };
  }
}
