/** Tests skip with `skipFor`, which lists skipped tests at the end, and fails in CI. */
import assert from "node:assert/strict";
import { missing } from "../support/run/require.ts";
import { SKIPPED_FILE, skippedReport } from "../support/run/skipped.ts";
import { withFolder } from "../support/run/folder.ts";
import { sourcesIn } from "./sources.ts";

const TESTS = new URL("../", import.meta.url).pathname;
const BY_ITSELF = new RegExp(`SKIPPED${":"}`);
/** A test that silently skips, or has fewer cases on other systems. */
const SILENT = /\bignore:|^\s+ignore,$|Deno\.test\.ignore|Deno\.build\.os [!=]== "linux"/m;

Deno.test("test files skip only with skipFor", () => {
  const files = sourcesIn("tests", /_test\.ts$/);
  assert.ok(files.length > 200);
  for (const { path, text } of files) {
    if (path.endsWith("/skipped_test.ts")) continue;
    assert.doesNotMatch(text, BY_ITSELF, path);
    assert.doesNotMatch(text, SILENT, path);
  }
});

Deno.test("skipped tests are listed by reason, with the missing package", () => {
  const line = (file: string, ...reasons: string[]) => `${JSON.stringify({ file, reasons })}\n`;
  assert.equal(skippedReport(""), "");
  const collected = line("tests/b_test.ts", ...missing(["/no/zsh", "/no/fish"])) +
    line("tests/a_test.ts", ...missing(["/no/zsh"])) +
    line("tests/a_test.ts", ...missing(["/no/zsh"]));
  assert.equal(
    skippedReport(collected),
    "SKIPPED: /no/fish is missing (package /no/fish): tests/b_test.ts\n" +
      "SKIPPED: /no/zsh is missing (package /no/zsh): tests/a_test.ts, tests/b_test.ts\n",
  );
});

Deno.test("the runner prints the list last, and exits with the code of the tests", async () => {
  await withFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/tests`);
    const support = `${TESTS}support/run/require.ts`;
    const tests = (fails: boolean) =>
      `import { skipUnless } from ${JSON.stringify(support)};\n` +
      `Deno.test({ name: "one", ...skipUnless("no-such-program"), fn() {} });\n` +
      `Deno.test("two", () => { if (${fails}) throw new Error("wrong"); });\n`;
    const [good, bad] = [`${folder}/tests/good_test.ts`, `${folder}/tests/bad_test.ts`];
    Deno.writeTextFileSync(good, tests(false));
    Deno.writeTextFileSync(bad, tests(true));
    const run = async (...files: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", `${TESTS}main.ts`, "--jobs=2", ...files],
        cwd: `${TESTS}..`,
        env: { CI: "", NO_COLOR: "1", [SKIPPED_FILE]: "" },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    };
    const why = "SKIPPED: no-such-program is missing (package no-such-program): ";
    const passed = await run(good);
    assert.equal(passed.code, 0, passed.stdout + passed.stderr);
    assert.ok(passed.stdout.endsWith(`\n${why}tests/good_test.ts\n`), passed.stdout);
    assert.doesNotMatch(passed.stderr, BY_ITSELF);
    const failed = await run(good, bad);
    assert.equal(failed.code, 1);
    const both = `${why}tests/bad_test.ts, tests/good_test.ts\n`;
    assert.ok(failed.stdout.endsWith(`\n${both}`), failed.stdout);
    // Runs after a failed one still run, and there is one list.
    for (const [first, second] of [[bad, good], [good, bad]] as const) {
      const { code, stdout } = await run(first, "--then", second);
      assert.equal(code, 1);
      assert.match(stdout, /^ok \| 1 passed/m);
      assert.match(stdout, /^FAILED \| 0 passed/m);
      assert.equal(stdout.split("SKIPPED").length, 2, stdout);
      assert.ok(stdout.endsWith(`\n${both}`), stdout);
    }
  });
});
