import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { compileArguments } from "../../release/compile.ts";
import { SOURCE_V8_FLAGS } from "../../release/v8_flags.ts";

const { attack, compile, start, test } = manifest.tasks;

Deno.test("deno task start sets the V8 flags", () => {
  assert.ok(start.command.includes(` ${SOURCE_V8_FLAGS} main.ts`), start.command);
});

Deno.test("deno task compile has the options, permissions and modules of a release", () => {
  assert.equal(compile.command, ["deno", ...compileArguments("dist/nodens")].join(" "));
  const page = Deno.readTextFileSync(new URL("../../docs/install.md", import.meta.url));
  assert.ok(page.replaceAll(" \\\n  ", " ").includes(`\n${compile.command}\n`), "docs/install.md");
});

Deno.test("test-system, test-arm64 and attack run the tests that deno task test ignores", () => {
  const left = /--ignore=(\S+) tests\/$/.exec(test.command)![1]!.split(",");
  const others = [manifest.tasks["test-system"], manifest.tasks["test-arm64"], attack]
    .flatMap(({ command }) => command.match(/(?<= )tests\/\w+(?=\/| |$)/g)!);
  assert.deepEqual(others.sort(), left.sort());
  for (const folder of left) {
    const files = [...Deno.readDirSync(new URL(`../../${folder}`, import.meta.url))];
    assert.ok(files.some(({ name }) => name.endsWith("_test.ts")), folder);
  }
});
