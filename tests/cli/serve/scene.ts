import assert from "node:assert/strict";
import type { DecodedPacket } from "dns-packet";
import { MAIN, type Nodens, startNodens } from "../../support/processes/nodens.ts";
import { folderWith, serving } from "../../support/processes/serving.ts";
import { until } from "../../support/run/until.ts";

/** Makes a folder with these files for the duration of `use`. */
export async function inFolder(
  files: Record<string, string>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = folderWith(files);
  try {
    await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Runs nodens until it ends; fails after 20 seconds. */
export async function run(
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Serves a Corefile during `use`; returns the exit code. */
export async function serve(
  corefile: string,
  use: (out: () => string, folder: string) => Promise<void>,
  { args = [], files = {}, descriptors }: {
    args?: string[];
    files?: Record<string, string>;
    descriptors?: number;
  } = {},
): Promise<number> {
  let code = NaN;
  await inFolder(files, async (folder) => {
    const file = `${folder}/Corefile`;
    Deno.writeTextFileSync(file, corefile.replaceAll("FOLDER", folder));
    code = await serving(
      ["-conf", file, ...args],
      (out) => use(out, folder),
      descriptors === undefined ? {} : { files: descriptors },
    );
  });
  return code;
}

/** Data of the first answer. */
export function dataOf({ answers }: DecodedPacket): string | undefined {
  return (answers?.[0] as { data: string } | undefined)?.data;
}

/** Reloads nodens; returns "complete" or "not applied". */
export async function reload(nodens: Nodens, corefile: string, signal: Deno.Signal = "SIGHUP") {
  const count = () => nodens.output.match(/Reloading complete|not applied/g)?.length ?? 0;
  const before = count();
  nodens.rewrite(corefile);
  Deno.kill(nodens.pid, signal);
  await until(() => count() > before, "the reload");
  return [...nodens.output.matchAll(/Reloading complete|not applied/g)].at(-1)![0];
}

/** Starts nodens for the duration of `use`; it must end with 0. */
export async function withNodens(
  options: Parameters<typeof startNodens>[0],
  use: (nodens: Nodens) => Promise<void>,
): Promise<void> {
  const nodens = await startNodens(options);
  let status: Deno.CommandStatus;
  try {
    await use(nodens);
  } finally {
    status = await nodens.stop();
  }
  assert.equal(status.code, 0, nodens.output);
}
