/** nodens runs with the same flags of V8 in every way that it is run. */
import assert from "node:assert/strict";
import { compileArguments } from "../../release/compile.ts";
import { ownTarget } from "../../release/targets.ts";
import { V8_FLAGS } from "../../release/v8_flags.ts";

Deno.test("the executable and deno task start have the flags of V8", () => {
  assert.ok(compileArguments(ownTarget(), "nodens").includes(V8_FLAGS));
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)));
  assert.ok(tasks.start.command.includes(` ${V8_FLAGS} main.ts`), tasks.start.command);
});
