/** Query files for dnsperf; the names are constant across runs. */
export interface NameFiles {
  /** Names for hits. */
  readonly hot: string;
  /** Names for misses and for filling the cache. */
  readonly cold: string;
  readonly hotCount: number;
  readonly coldCount: number;
}

/** Writes both files, `entries` names in total. */
export function writeNames(
  directory: string,
  options: { hot: number; entries: number },
): NameFiles {
  const files = {
    hot: `${directory}/hot.txt`,
    cold: `${directory}/cold.txt`,
    hotCount: options.hot,
    coldCount: Math.max(options.entries - options.hot, 0),
  };
  Deno.writeTextFileSync(files.hot, lines("hot", files.hotCount));
  Deno.writeTextFileSync(files.cold, lines("cold", files.coldCount));
  return files;
}

function lines(prefix: string, count: number): string {
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    parts.push(`${prefix}-${String(i).padStart(6, "0")}.bench.example.org A\n`);
  }
  return parts.join("");
}
