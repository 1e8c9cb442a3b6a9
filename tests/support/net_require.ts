/** Whether an executable is in PATH (or, with a slash in it, is there). */
export function have(binary: string): boolean {
  const folders = binary.includes("/") ? [""] : (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(folder === "" ? binary : `${folder}/${binary}`).isFile;
    } catch {
      return false;
    }
  });
}

/**
 * Options for `Deno.test` that skip it, saying what is missing, where an executable is not there.
 *
 * Throws where the environment variable CI is "true": nothing may be skipped there.
 */
export function skipUnless(...binaries: string[]): { ignore: boolean } {
  return skipFor(binaries.filter((binary) => !have(binary)).map((name) => `${name} is missing`));
}

/** Like `skipUnless`, for reasons that the caller found; skips nothing where there are none. */
export function skipFor(reasons: readonly string[]): { ignore: boolean } {
  if (reasons.length === 0) return { ignore: false };
  const text = reasons.join(", ");
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot skip in CI: ${text}`);
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED: ${text}\n`));
  return { ignore: true };
}
