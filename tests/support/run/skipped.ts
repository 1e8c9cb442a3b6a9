export const SKIPPED_FILE = "NODENS_TEST_SKIPPED";

interface Skipped {
  file: string;
  reasons: readonly string[];
}

/** Records that tests of this file are skipped; prints the reasons if no file collects them. */
export function recordSkipped(reasons: readonly string[]): void {
  const path = Deno.env.get(SKIPPED_FILE);
  if (path === undefined) {
    Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED: ${reasons.join(", ")}\n`));
    return;
  }
  const file = Deno.mainModule.replace(/^.*\/(?=tests\/)/, "");
  // Test files run concurrently: one write appends a line.
  Deno.writeTextFileSync(path, `${JSON.stringify({ file, reasons } satisfies Skipped)}\n`, {
    append: true,
  });
}

/** Skipped tests, one reason per line with its test files; "" if none. */
export function skippedReport(collected: string): string {
  const files = new Map<string, Set<string>>();
  for (const line of collected.split("\n")) {
    if (line === "") continue;
    const { file, reasons } = JSON.parse(line) as Skipped;
    for (const reason of reasons) files.set(reason, (files.get(reason) ?? new Set()).add(file));
  }
  return [...files].map(([reason, names]) =>
    `SKIPPED: ${reason}: ${[...names].sort().join(", ")}\n`
  )
    .sort().join("");
}
