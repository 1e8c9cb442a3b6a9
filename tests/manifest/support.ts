import { runManifest } from "../../src/cli/manifest/manifest.ts";

/** The manifest that Kubernetes publishes, as it is. */
export const PUBLISHED: string = Deno.readTextFileSync(
  new URL("nodelocaldns.yaml", import.meta.url),
);

/** Runs `nodens manifest` over these files. */
export async function manifest(args: readonly string[], files: Record<string, string> = {}) {
  let out = "";
  let err = "";
  const host = {
    readTextFile(path: string) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound(path);
      return text;
    },
  };
  const output = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
  };
  return { code: await runManifest(args, host, output), out, err };
}

/** Replaces one text, which must be there once. */
export function edit(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`not there exactly once: ${from}`);
  return text.replace(from, () => to);
}

/** Number of the line that holds a text for the first time. */
export function lineOf(text: string, part: string): number {
  const index = text.split("\n").findIndex((line) => line.includes(part));
  if (index < 0) throw new Error(`not there: ${part}`);
  return index + 1;
}
