/**
 * Runs test files, each in a process of its own, and closes with what failed and what was skipped.
 *
 *     tests/main.ts [--jobs=N] [--verbose] [--ignore=PATH,...] [DENO TEST OPTION]... PATH...
 *                   [--then ...] [-- ARGUMENT...]
 *
 * A file that ends with a failure is printed whole; of the others only the totals, unless --verbose
 * is given. Arguments after `--then` describe another run, which starts when the one before has
 * ended, whatever its outcome.
 */
import { SKIPPED_FILE, skippedReport } from "./support/run/skipped.ts";

const OPTIONS = ["--lock=dev.lock", "--frozen", "-A", "--no-check"];
/** A file that takes longer hangs. The longest takes nine minutes, in virtual machines. */
const FILE_LIMIT_MS = 20 * 60_000;
const TOTALS = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/m;

interface Run {
  /** Files that run at the same time. */
  jobs: number;
  verbose: boolean;
  files: string[];
  /** For `deno test`, before and after the file. */
  options: string[];
  rest: string[];
}

const totals = { passed: 0, failed: 0, ignored: 0, files: 0 };
const failures: string[] = [];
const children = new Set<Deno.ChildProcess>();
let stopped = false;

// The terminal interrupts the children itself; this process has to print the lists.
Deno.addSignalListener("SIGINT", () => stopped = true);
Deno.addSignalListener("SIGTERM", () => {
  stopped = true;
  for (const child of children) child.kill("SIGTERM");
});

const skipped = Deno.makeTempFileSync({ prefix: "nodens_skipped_" });
try {
  for (const run of parseRuns(Deno.args)) {
    const next = run.files.values();
    await Promise.all(Array.from({ length: run.jobs }, async () => {
      for (const file of next) {
        if (stopped) return;
        await runFile(run, file);
      }
    }));
  }
  const { passed, failed, ignored, files } = totals;
  print(`\n${passed} passed, ${failed} failed, ${ignored} ignored in ${files} files\n`);
  if (failures.length > 0) print(`FAILED: ${failures.join("\nFAILED: ")}\n`);
  print(skippedReport(Deno.readTextFileSync(skipped)));
} finally {
  Deno.removeSync(skipped);
}
Deno.exit(totals.failed > 0 || stopped ? 1 : 0);

function parseRuns(args: readonly string[]): Run[] {
  const end = args.indexOf("--");
  const rest = end < 0 ? [] : args.slice(end);
  const lists: string[][] = [[]];
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    if (arg === "--then") lists.push([]);
    else lists.at(-1)!.push(arg);
  }
  return lists.map((list) => {
    const run: Run = { jobs: 1, verbose: false, files: [], options: [], rest };
    let ignored: string[] = [];
    const paths: string[] = [];
    for (const arg of list) {
      const [name, value] = arg.split("=", 2) as [string, string?];
      if (name === "--jobs") run.jobs = Number(value);
      else if (name === "--verbose") run.verbose = true;
      else if (name === "--ignore") ignored = value!.split(",");
      else if (name.startsWith("-")) run.options.push(arg);
      else paths.push(arg.replace(/\/$/, ""));
    }
    run.files = paths.flatMap((path) => [...testFiles(path, ignored)]);
    if (run.files.length === 0) throw new Error(`no test files in ${paths.join(", ")}`);
    return run;
  });
}

function* testFiles(path: string, ignored: readonly string[]): Generator<string> {
  if (ignored.includes(path)) return;
  if (Deno.statSync(path).isFile) {
    yield path;
    return;
  }
  for (const { name, isDirectory } of [...Deno.readDirSync(path)].sort(byName)) {
    if (isDirectory) yield* testFiles(`${path}/${name}`, ignored);
    else if (name.endsWith("_test.ts")) yield `${path}/${name}`;
  }
}

function byName(a: Deno.DirEntry, b: Deno.DirEntry): number {
  return a.name < b.name ? -1 : 1;
}

async function runFile({ verbose, options, rest }: Run, file: string): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...OPTIONS, ...options, file, ...rest],
    // Processes at the same time would want the same control socket.
    env: { [SKIPPED_FILE]: skipped, NODENS_CONTROL: "off" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  children.add(child);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, FILE_LIMIT_MS);
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) output += text;
  };
  const [{ success }] = await Promise.all([child.status, read(child.stdout), read(child.stderr)]);
  clearTimeout(timer);
  children.delete(child);
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const found = TOTALS.exec(plain);
  const [passed, failed, ignored] = [1, 2, 3].map((group) => Number(found?.[group] ?? 0));
  // Ended before its tests did: a module that cannot be loaded, a crash, the limit.
  const broken = !success && failed === 0 ? 1 : 0;
  totals.files++;
  totals.passed += passed!;
  totals.failed += failed! + broken;
  totals.ignored += ignored!;
  if (!success) {
    const names = [...plain.matchAll(/^(\S.*) \.\.\. FAILED/gm)].map(([, name]) => name);
    failures.push(...[...new Set(names)].map((name) => `${file}: ${name}`));
    if (broken > 0) failures.push(late ? `${file}: did not end` : `${file}: ended early`);
  }
  if (!success || verbose) print(output);
  if (broken > 0) print(`FAILED | ${passed} passed | 1 failed | ${file}\n`);
  else if (success && !verbose) print(`${found?.[0] ?? "ok | 0 passed | 0 failed"} | ${file}\n`);
}

function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
