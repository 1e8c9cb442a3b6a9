import assert from "node:assert/strict";
import { skipUnlessLinux } from "../support/run/require.ts";

Deno.test({
  name: "reserveDescriptors: the table is enlarged, nothing stays open, too many are not an error",
  ...skipUnlessLinux(),
  async fn() {
    const path = new URL("./descriptors_child.ts", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", path],
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(err, "");
    const { before, after, wanted, given } = JSON.parse(out!);
    assert.ok(given >= wanted, `${given} of ${wanted}`);
    assert.equal(after, before);
  },
});
