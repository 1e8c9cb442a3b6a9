import assert from "node:assert/strict";
import { PERMISSIONS } from "../../release/permissions.ts";
import { skipUnlessLinux } from "../support/run/require.ts";

Deno.test({
  name: "megabytes of the executable are released, and it still runs",
  ...skipUnlessLinux(),
  async fn() {
    const path = new URL("./release_child.ts", import.meta.url).pathname;
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...PERMISSIONS, "--quiet", "--no-check", path],
    }).output();
    assert.equal(code, 0);
    const { beforeMb, afterMb } = JSON.parse(new TextDecoder().decode(stdout));
    assert.ok(afterMb < 0.6 * beforeMb, `${beforeMb} MB before, ${afterMb} MB after`);
  },
});
