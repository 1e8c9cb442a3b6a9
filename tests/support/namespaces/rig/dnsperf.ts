export interface DnsperfOptions {
  readonly server: string;
  readonly port?: number;
  readonly qps: number;
  readonly seconds: number;
  /** Names, queried for addresses, or "name TYPE". */
  readonly names: readonly string[];
  readonly tcp?: boolean;
  readonly clients?: number;
  readonly timeoutSeconds?: number;
}

export interface DnsperfResult {
  readonly sent: number;
  readonly completed: number;
  readonly lost: number;
  readonly rcodes: Readonly<Record<string, number>>;
  /** In milliseconds; 0 without answers. */
  readonly averageLatency: number;
  readonly text: string;
}

const DEFAULT_TIMEOUT_SECONDS = 2;
/** dnsperf checks for timeouts only occasionally. */
const MARGIN_MS = 500;

/** Limits of the load on the machine. */
export const DNSPERF_BOUNDS = { qps: { min: 1, max: 50_000 }, seconds: { min: 1, max: 60 } };

/** Command line; throws RangeError beyond the bounds. */
export function dnsperfArguments(options: DnsperfOptions, file: string): string[] {
  for (const name of ["qps", "seconds"] as const) {
    const { min, max } = DNSPERF_BOUNDS[name];
    const value = options[name];
    if (!(value >= min && value <= max)) {
      throw new RangeError(`Cannot run dnsperf with ${name} ${value}: ${min} to ${max} will do`);
    }
  }
  if (options.names.length === 0) throw new RangeError("Cannot run dnsperf without names");
  return [
    ...[
      "-s",
      options.server,
      "-p",
      String(options.port ?? 53),
      "-f",
      options.server.includes(":") ? "inet6" : "inet",
    ],
    ...["-m", options.tcp === true ? "tcp" : "udp", "-d", file],
    ...["-l", String(options.seconds), "-Q", String(options.qps)],
    ...[
      "-t",
      String(options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS),
      "-c",
      String(options.clients ?? 1),
    ],
  ];
}

export function dnsperfInput(names: readonly string[]): string {
  return names.map((name) => `${name.includes(" ") ? name : `${name} A`}\n`).join("");
}

/** Parses the final output; throws if it is malformed. */
export function parseDnsperf(text: string): DnsperfResult {
  const count = (label: string): number => {
    const value = new RegExp(`^ *${label}: +(\\d+)`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`Cannot read dnsperf: no "${label}" in it\n${text}`);
    return Number(value);
  };
  const codes = /^ *Response codes: +(.*)$/m.exec(text)?.[1] ?? "";
  const rcodes: Record<string, number> = {};
  for (const [, name, number] of codes.matchAll(/(\w+) (\d+) \(/g)) rcodes[name!] = Number(number);
  const seconds = /^ *Average Latency \(s\): +([\d.]+)/m.exec(text)?.[1] ?? "0";
  return {
    sent: count("Queries sent"),
    completed: count("Queries completed"),
    lost: count("Queries lost"),
    rcodes,
    averageLatency: Number(seconds) * 1000,
    text,
  };
}

/**
 * Runs dnsperf; throws its output if it cannot run.
 * @param until - ends the run early, once earlier queries have been answered or counted as lost
 */
export async function runDnsperf(
  options: DnsperfOptions,
  until?: Promise<void>,
): Promise<DnsperfResult> {
  const file = Deno.makeTempFileSync({ prefix: "nodens_test_" });
  Deno.writeTextFileSync(file, dnsperfInput(options.names));
  const child = new Deno.Command("dnsperf", {
    args: dnsperfArguments(options, file),
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let running = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Queries outstanding at an interrupt do not count as lost, so it continues until they time out.
  const lastsMs = (options.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000 + MARGIN_MS;
  void until?.then(() => timer = setTimeout(() => running && child.kill("SIGINT"), lastsMs));
  const { stdout, stderr } = await child.output();
  running = false;
  clearTimeout(timer);
  Deno.removeSync(file);
  const decoder = new TextDecoder();
  return parseDnsperf(decoder.decode(stdout) + decoder.decode(stderr));
}
