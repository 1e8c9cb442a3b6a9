/** What is skipped is told by `skipFor`, which lists it at the end, and refuses it in CI. */
import assert from "node:assert/strict";
import { missing } from "../support/run/require.ts";
import { SKIPPED_FILE, skippedReport } from "../support/run/skipped.ts";

const TESTS = new URL("../", import.meta.url).pathname;
/** The lines on which a test file tells of skipping by itself. */
const BY_ITSELF = new RegExp(`SKIPPED${":"}`);
/** Where it skips by itself, or makes fewer tests on other systems, and tells nobody. */
const SILENT = /\bignore:|^\s+ignore,$|Deno\.test\.ignore|Deno\.build\.os [!=]== "linux"/m;

function* testFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* testFiles(`${folder}${name}/`);
    else if (name.endsWith("_test.ts")) yield folder + name;
  }
}

Deno.test("no test file skips in silence, or prints by itself what it skips", () => {
  let count = 0;
  for (const path of testFiles(TESTS)) {
    count++;
    if (path.endsWith("/skipped_test.ts")) continue;
    const text = Deno.readTextFileSync(path);
    assert.doesNotMatch(text, BY_ITSELF, path);
    assert.doesNotMatch(text, SILENT, path);
  }
  assert.ok(count > 200);
});

Deno.test("what is skipped is listed by its reason, with the package that would run it", () => {
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

Deno.test("the runner closes with the list, and ends as the tests do", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  try {
    Deno.mkdirSync(`${folder}/tests`);
    const support = `${TESTS}support/run/require.ts`;
    const tests = (fails: boolean) =>
      `import { skipUnless } from ${JSON.stringify(support)};\n` +
      `Deno.test({ name: "one", ...skipUnless("no-such-program"), fn() {} });\n` +
      `Deno.test("two", () => { if (${fails}) throw new Error("wrong"); });\n`;
    const [good, bad] = ["good", "bad"].map((name) => `${folder}/tests/${name}_test.ts`) as [
      string,
      string,
    ];
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
    // A run that fails keeps none from following it, and there is one list.
    const [one, other] = [await run(bad, "--then", good), await run(good, "--then", bad)];
    for (const { code, stdout } of [one, other]) {
      assert.equal(code, 1);
      assert.match(stdout, /^ok \| 1 passed/m);
      assert.match(stdout, /^FAILED \| 0 passed/m);
      assert.equal(stdout.split("SKIPPED").length, 2, stdout);
      assert.ok(stdout.endsWith(`\n${both}`), stdout);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
