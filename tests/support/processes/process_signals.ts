/** What the kernel knows of a process: its signals, and who listens in its network namespace. */

/** Names of signals by number, as far as a test sends them. */
export const SIGNAL = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  BUS: 7,
  USR1: 10,
  SEGV: 11,
  TERM: 15,
  SETXID: 33,
} as const;

/** Numbers of the signals that the process has a handler for; empty where it is gone. */
export function caughtSignals(pid: number): number[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/status`);
  } catch {
    return [];
  }
  const mask = BigInt(`0x${/^SigCgt:\t([0-9a-f]+)$/m.exec(text)?.[1] ?? "0"}`);
  return Array.from({ length: 64 }, (_, i) => i + 1)
    .filter((number) => (mask >> BigInt(number - 1) & 1n) === 1n);
}

/** Ports that anybody listens on over TCP in the network namespace of the process, sorted. */
export function listeningPorts(pid: number): number[] {
  const ports = new Set<number>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of Deno.readTextFileSync(`/proc/${pid}/net/${table}`).split("\n").slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (state === "0A") ports.add(parseInt(local!.split(":")[1]!, 16));
    }
  }
  return [...ports].sort((a, b) => a - b);
}

/** Sends a signal by number, real-time ones too. Returns false where there is no such process. */
export function send(pid: number, signal: number): boolean {
  const args = ["-c", `kill -${signal} ${pid}`];
  return new Deno.Command("sh", { args, stdin: "null", stderr: "null" }).outputSync().success;
}
