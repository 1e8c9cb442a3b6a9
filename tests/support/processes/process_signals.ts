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

/** Numbers of the signals that the process handles; empty if it has ended. */
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

/** TCP ports of listeners in the process's network namespace, sorted. */
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

/** Sends a signal by number, also a real-time signal; returns false if it fails. */
export function send(pid: number, signal: number): boolean {
  const args = ["-c", `kill -${signal} ${pid}`];
  return new Deno.Command("sh", { args, stdin: "null", stderr: "null" }).outputSync().success;
}
