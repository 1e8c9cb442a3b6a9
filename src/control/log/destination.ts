import { statDescriptor } from "../../sys/descriptor_stat.ts";

/** Time at the start of text lines. */
export type LogTime = "auto" | "always" | "never";

/** Destination; container runtimes ignore a `file`. */
export interface LogPlace {
  journal: boolean;
  file: boolean;
  container: boolean;
}

const MARKERS = ["/.dockerenv", "/run/.containerenv"];
/** Set by Podman and systemd-nspawn, and by Kubernetes. */
const VARIABLES = ["container", "KUBERNETES_SERVICE_HOST"];

/** Whether lines need a time; the journal and container runtimes add one. */
export function needsTime(mode: LogTime, { journal, file, container }: LogPlace): boolean {
  if (mode !== "auto") return mode === "always";
  return !journal && (file || !container);
}

/** Whether a container runtime reads the output. */
export function inContainer(
  host: { env(name: string): string | undefined; exists(path: string): boolean },
): boolean {
  return VARIABLES.some((name) => (host.env(name) ?? "") !== "") || MARKERS.some(host.exists);
}

/** Whether it is systemd's journal (`$JOURNAL_STREAM`, systemd.exec(5)) or a file. */
export async function readDescriptor(
  descriptor: 1 | 2,
): Promise<{ journal: boolean; file: boolean }> {
  const stat = await statDescriptor(descriptor);
  if (stat === null) return { journal: false, file: false };
  const journal = Deno.env.get("JOURNAL_STREAM") === `${stat.device}:${stat.inode}`;
  return { journal, file: stat.isFile };
}
