/** nodens runs with exactly the permissions in `NEEDS`. */
import assert from "node:assert/strict";
import { NEEDS } from "../../../release/permissions.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { MAIN, STARTED } from "../../support/processes/nodens.ts";
import { startProcess } from "../../support/processes/process.ts";
import { skipUnlessLinux } from "../../support/run/require.ts";
import { dataOf } from "./scene.ts";

Deno.test("permissions: nodens says why it has no control socket that it was told to have", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  Deno.writeTextFileSync(`${folder}/Corefile`, `.:${freePort()} {\n bind lo\n whoami\n}\n`);
  const fault = /\[WARNING\] no control socket: Deno may not write files \(--allow-write\)/;
  const args = ["-conf", `${folder}/Corefile`, "-control", `${folder}/control.sock`];
  const nodens = await startProcess(Deno.execPath(), {
    args: ["run", ...NEEDS.portable, MAIN, ...args, "-io", "portable"],
    ready: (output) => fault.test(output),
  });
  const { code } = await nodens.stop();
  assert.equal(code, 0, nodens.output);
  Deno.removeSync(folder, { recursive: true });
});

const ROWS = [
  { name: "portable", rights: NEEDS.portable, args: ["-io", "portable"] },
  { name: "plain", rights: NEEDS.plain, args: ["-io", "linux"] },
  { name: "writing", rights: NEEDS.writing, args: ["-io", "linux"] },
] as const;

for (const { name, rights, args } of ROWS) {
  Deno.test(
    `permissions: nodens serves with ${name}`,
    name === "portable" ? {} : skipUnlessLinux(),
    async () => {
      const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
      const port = freePort();
      const file = `${folder}/Corefile`;
      const writes = name === "writing";
      const persist = writes ? `cache {\n persist ${folder}/cache\n }` : "cache";
      Deno.writeTextFileSync(
        file,
        `.:${port} {
        bind lo
        nsid
        ${persist}
        hosts {
          192.0.2.1 www.example.org
        }
        prometheus 127.0.0.1:${freePort()}
      }\n`,
      );
      const nodens = await startProcess(Deno.execPath(), {
        args: [
          ...["run", ...rights, MAIN, "-conf", file, ...args],
          ...writes ? ["-pidfile", `${folder}/pid`] : [],
        ],
        ready: (output) => STARTED.test(output),
      });
      try {
        const answer = decode(await askUdp(queryBytes({ name: "www.example.org" }), { port }));
        assert.equal(dataOf(answer), "192.0.2.1");
        if (writes) assert.equal(Deno.readTextFileSync(`${folder}/pid`), `${nodens.pid}\n`);
      } finally {
        const { code } = await nodens.stop();
        assert.equal(code, 0, nodens.output);
        assert.doesNotMatch(nodens.output, /ERROR|Requires .* access|NotCapable|not allowed/);
        if (writes) assert.ok(Deno.statSync(`${folder}/cache`).size > 0, nodens.output);
        Deno.removeSync(folder, { recursive: true });
      }
    },
  );
}
