/** Options of dnsperf. */
export interface LoadOptions {
  port: number;
  /** File with one `NAME TYPE` per line. */
  dataFile: string;
  transport?: "udp" | "tcp";
  /** Duration; default: one pass over the file. */
  seconds?: number;
  /** One pass even with `seconds`. */
  once?: boolean;
  /** Maximum queries per second; default: unlimited. */
  rate?: number;
}

/** Results of dnsperf. */
export interface LoadResult {
  sent: number;
  completed: number;
  lost: number;
  /** Completed with a code other than NOERROR. */
  failed: number;
  seconds: number;
  queriesPerSecond: number;
  latencyMicroseconds: number;
  answerBytes: number;
}

const TIMEOUT_SECONDS = 2;
const CLIENTS = 8;

/** Runs dnsperf and reads its report. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const args = ["-s", "127.0.0.1", "-p", String(options.port), "-d", options.dataFile];
  args.push("-m", options.transport ?? "udp", "-c", String(CLIENTS), "-T", "1");
  args.push("-t", String(TIMEOUT_SECONDS));
  if (options.seconds !== undefined) args.push("-l", String(options.seconds));
  if (options.once === true || options.seconds === undefined) args.push("-n", "1");
  if (options.rate !== undefined) args.push("-Q", String(options.rate));
  const { success, stdout, stderr } = await new Deno.Command("dnsperf", { args }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) {
    throw new Error(
      `Cannot run "dnsperf ${args.join(" ")}": ${new TextDecoder().decode(stderr).trim() || text}`,
    );
  }
  return parseReport(text);
}

/** Parses the final statistics of dnsperf. */
export function parseReport(text: string): LoadResult {
  const completed = figure(text, "Queries completed");
  const noError = /Response codes:.*?NOERROR (\d+)/.exec(text);
  return {
    sent: figure(text, "Queries sent"),
    completed,
    lost: figure(text, "Queries lost"),
    failed: completed - Number(noError?.[1] ?? 0),
    seconds: figure(text, "Run time (s)"),
    queriesPerSecond: figure(text, "Queries per second"),
    latencyMicroseconds: figure(text, "Average Latency (s)") * 1e6,
    answerBytes: Number(/Average packet size:.*response (\d+)/.exec(text)?.[1] ?? NaN),
  };
}

function figure(text: string, label: string): number {
  const start = text.indexOf(`${label}:`);
  const value = start < 0 ? NaN : parseFloat(text.slice(start + label.length + 1));
  if (Number.isNaN(value)) {
    // Averages are absent or "nan" if no query completed.
    if (/Queries completed:\s+0\b/.test(text)) return NaN;
    throw new Error(`Cannot read dnsperf's report: no "${label}" in it:\n${text}`);
  }
  return value;
}
