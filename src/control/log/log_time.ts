import type { LogFormat } from "./log_line.ts";

/** Whether lines of text begin with their time. */
export type LogTime = "auto" | "always" | "never";

/** Files that Docker and Podman put into every container. */
const MARKERS = ["/.dockerenv", "/run/.containerenv"];
/**
 * Variables that name a runtime: of Podman and systemd-nspawn, and of Kubernetes, whose runtimes leave
 * no file behind.
 */
const VARIABLES = ["container", "KUBERNETES_SERVICE_HOST"];

/** What is known of the place that lines go to. */
export interface LogPlace {
  journal: boolean;
  /** A regular file: not even a container runtime sees what is written there. */
  file: boolean;
  container: boolean;
}

/**
 * Whether lines must carry their time themselves: the journal and the runtimes of containers note it
 * for each line, and nobody else does.
 */
export function needsTime(mode: LogTime, { journal, file, container }: LogPlace): boolean {
  if (mode !== "auto") return mode === "always";
  return !journal && (file || !container);
}

/** Whether a container runtime reads the output of this process. */
export function inContainer(
  host: { env(name: string): string | undefined; exists(path: string): boolean },
): boolean {
  return VARIABLES.some((name) => (host.env(name) ?? "") !== "") || MARKERS.some(host.exists);
}

/** Options of the log of a serving process. */
export interface LogOptions {
  format: LogFormat;
  time: LogTime;
}
