/** Names the file that collects what was skipped; set by `tests/main.ts`. */
export const SKIPPED_FILE = "NODENS_TEST_SKIPPED";

/** What a test file skipped. */
interface Skipped {
  /** Path of the test file. */
  file: string;
  reasons: readonly string[];
}

/** Notes that tests of this file are skipped; without a file to collect that, prints it at once. */
export function recordSkipped(reasons: readonly string[]): void {
  const path = Deno.env.get(SKIPPED_FILE);
  if (path === undefined) {
    Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED: ${reasons.join(", ")}\n`));
    return;
  }
  const file = Deno.mainModule.replace(/^.*\/(?=tests\/)/, "");
  // Test files run side by side: a line is appended by one write.
  Deno.writeTextFileSync(path, `${JSON.stringify({ file, reasons } satisfies Skipped)}\n`, {
    append: true,
  });
}

/** What was skipped, one reason a line, with the test files that it concerns; "" for nothing. */
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
