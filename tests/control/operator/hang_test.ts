import assert from "node:assert/strict";
import { withFolder } from "../../support/run/folder.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";
import { freePort } from "../../support/servers/ports.ts";

Deno.test({
  name: "verbs answer, or say why not, before a data plane that hangs counts as dead",
  ...skipUnlessLinux(),
  fn: () =>
    withFolder(async (folder) => {
      const file = new URL("./hang_verbs.ts", import.meta.url).pathname;
      const ports = [freePort(), freePort()].map(String);
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", file, ...ports, `${folder}/control.sock`],
        stderr: "inherit",
      }).output();
      const busy = "the data plane has not answered within 2000 ms";
      const silent = `${busy}; ask again`;
      assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n").sort(), [
        `ask?name=example.org: 503 ${busy}`,
        `dump: 200 ${silent}`,
        `explain?name=example.org: 503 ${busy}`,
        `flush?all=true: 503 ${silent}`,
        `flush?name=example.org: 503 ${silent}`,
        "log?debug=on: 200 answers",
        `lookup?name=example.org: 200 ${silent}`,
        "metrics: 200 answers",
        "status: 200 answers",
        "top: 200 answers",
        "upstreams/set?to=127.0.0.1&state=down: 200 answers",
        "upstreams: 200 answers",
      ]);
      assert.equal(code, 0);
    }),
});
