import { statDescriptor } from "../../sys/descriptor_stat.ts";

/** Whether a descriptor is systemd's journal (`$JOURNAL_STREAM`, systemd.exec(5)) or a file. */
export async function readDescriptor(
  descriptor: 1 | 2,
): Promise<{ journal: boolean; file: boolean }> {
  const stat = await statDescriptor(descriptor);
  if (stat === null) return { journal: false, file: false };
  const journal = Deno.env.get("JOURNAL_STREAM") === `${stat.device}:${stat.inode}`;
  return { journal, file: stat.isFile };
}
