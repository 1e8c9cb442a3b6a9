/**
 * Whether a file descriptor of this process leads to the journal of systemd: `$JOURNAL_STREAM` names
 * the device and inode that systemd connected, which a redirected output no longer has
 * (systemd.exec(5)).
 */
export async function isJournal(descriptor: 1 | 2): Promise<boolean> {
  const stream = Deno.env.get("JOURNAL_STREAM");
  if (stream === undefined) return false;
  // Only ever needed under systemd.
  const { fstatSync } = await import("node:fs");
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
