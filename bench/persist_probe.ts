import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";

const ROOT = new URL("../", import.meta.url).pathname;
/** Duration and interval of queries after a start. */
const PROBE = { lengthMs: 1500, everyMs: 1 } as const;

/** Times of one start. */
export interface Probed {
  /** From spawn to the first answer. */
  firstAnswerMs: number;
  /** Of queries sent after the first answer. */
  latenciesMs: number[];
  /** From the log; null if nothing was read. */
  readMs: number | null;
  /** From spawn to the answer for the file's last name. */
  warmMs: number | null;
}

/** Builds a query for an A record. */
export function buildQuery(name: string, id = 0): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Uint8Array.from([
    id >> 8,
    id & 255,
    1,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    ...labels,
    0,
    0,
    1,
    0,
    1,
  ]);
}

/** Starts nodens and continuously queries a name of `whoami` and one of the file. */
export async function probeWhile(options: {
  folder: string;
  /** The persisted cache, or null. */
  file: string | null;
  port: number;
  entries: number;
  command: string | undefined;
  name: string;
}): Promise<Probed> {
  const { folder, file, port, entries, command, name } = options;
  // Stopping overwrites the file, which the next round needs.
  const own = `${folder}/own`;
  if (file !== null) Deno.copyFileSync(file, own);
  Deno.writeTextFileSync(
    `${folder}/Corefile`,
    `.:${port} {\n bind 127.0.0.1\n cache {\n success ${entries}\n` +
      (file === null ? "" : ` persist ${own}\n`) + ` }\n whoami\n}\n`,
  );
  const words = command?.split(/\s+/) ?? [Deno.execPath(), "run", "-A", `${ROOT}main.ts`];
  const spawnedMs = performance.now();
  const child = new Deno.Command(words[0]!, {
    args: [...words.slice(1), "-conf", `${folder}/Corefile`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (piece) => void (text += piece) }),
  );
  const probed: Probed = { firstAnswerMs: NaN, latenciesMs: [], readMs: null, warmMs: null };
  const sent = new Map<number, number>();
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  socket.on("message", (answer: Uint8Array) => {
    const now = performance.now();
    const id = (answer[0]! << 8) | answer[1]!;
    if (id % 2 === 1 && answer[7] === 1) probed.warmMs ??= now - spawnedMs;
    const sentMs = sent.get(id);
    if (Number.isNaN(probed.firstAnswerMs)) probed.firstAnswerMs = now - spawnedMs;
    else if (sentMs !== undefined && sentMs > spawnedMs + probed.firstAnswerMs) {
      probed.latenciesMs.push(now - sentMs);
    }
    sent.delete(id);
  });
  // Odd ids ask for the name in the file, even ones for an uncached name.
  const [other, known] = [buildQuery("who.example.com"), buildQuery(name)];
  for (let id = 0; performance.now() - spawnedMs < PROBE.lengthMs; id++) {
    const query = id % 2 === 1 ? known : other;
    query[0] = id >> 8;
    query[1] = id & 255;
    sent.set(id, performance.now());
    socket.send(query.slice(), port, "127.0.0.1");
    await new Promise((resolve) => setTimeout(resolve, PROBE.everyMs));
  }
  socket.close();
  child.kill("SIGTERM");
  await child.status;
  await reading;
  const said = /entries from .* in (\d+) ms/.exec(text);
  if (said !== null) probed.readMs = Number(said[1]);
  return probed;
}

/** Medians of several starts in one line. */
export function lowestLatency(probed: readonly Probed[]): string {
  const median = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
  const at = (share: number) =>
    median(probed.map(({ latenciesMs }) => {
      const sorted = latenciesMs.toSorted((a, b) => a - b);
      return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
    })).toFixed(2);
  const parts = [
    `first answer ${median(probed.map(({ firstAnswerMs }) => firstAnswerMs)).toFixed(0)} ms`,
    `then median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`,
  ];
  const reads = probed.flatMap(({ readMs }) => readMs === null ? [] : [readMs]);
  const warms = probed.flatMap(({ warmMs }) => warmMs === null ? [] : [warmMs]);
  if (reads.length > 0) parts.push(`reading ${median(reads)} ms (most ${Math.max(...reads)})`);
  if (warms.length > 0) parts.push(`last name known after ${median(warms).toFixed(0)} ms`);
  return parts.join("; ");
}
