import { statDescriptor } from "../../sys/descriptor_stat.ts";

/**
 * Whether a descriptor leads to systemd's journal or a regular file. `$JOURNAL_STREAM` has the
 * journal's device and inode, from which a redirected output differs (systemd.exec(5)).
 */
export async function readDescriptor(
  descriptor: 1 | 2,
): Promise<{ journal: boolean; file: boolean }> {
  const stat = await statDescriptor(descriptor);
  if (stat === null) return { journal: false, file: false };
  const journal = Deno.env.get("JOURNAL_STREAM") === `${stat.device}:${stat.inode}`;
  return { journal, file: stat.isFile };
}
