import assert from "node:assert/strict";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { MAIN, STARTED } from "../support/processes/nodens.ts";
import { startProcess } from "../support/processes/process.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipFor } from "../support/run/require.ts";

const CLIENT = new URL("./port_shortage_client.ts", import.meta.url).pathname;
const [PORT, UPSTREAM] = [5300, 5301];
const QUERIES = 100;

const CASES = [
  { title: "a fast upstream", delayMs: 1, options: "", tcp: false },
  { title: "a slow upstream", delayMs: 300, options: "", tcp: true },
  { title: "a source address", delayMs: 1, options: "source_address 127.0.0.5", tcp: false },
];

for (const { title, delayMs, options, tcp } of CASES) {
  Deno.test({
    name: `a hundred simultaneous misses with 20 free ports are all answered: ${title}`,
    ...skipFor(namespaceReasons()),
    fn: () =>
      withFolder(async (folder) => {
        const file = `${folder}/Corefile`;
        Deno.writeTextFileSync(
          file,
          `.:${PORT} {\n bind 127.0.0.1\n cache\n` +
            ` forward . 127.0.0.1:${UPSTREAM} {\n  max_fails 0\n  ${options}\n }\n}\n`,
        );
        const namespace = new Namespace();
        const inside = (...words: string[]) =>
          namespace.exec(Deno.execPath(), "run", "-A", ...words);
        try {
          namespace.sysctl("ipv4/ip_local_port_range", '"40000 40019"');
          const nodens = await startProcess("ip", {
            args: inside(MAIN, "-conf", file),
            ready: (output) => STARTED.test(output),
          });
          const { success, stdout, stderr } = await new Deno.Command("ip", {
            args: inside(CLIENT, ...[PORT, UPSTREAM, QUERIES, delayMs].map(String)),
            stdin: "null",
          }).output();
          await nodens.stop();
          assert.ok(success, new TextDecoder().decode(stderr));
          const { rcodes, transports } = JSON.parse(new TextDecoder().decode(stdout));
          assert.deepEqual(rcodes, { NOERROR: QUERIES });
          if (tcp) assert.ok(transports.tcp > 0, "no query went over TCP");
        } finally {
          namespace.remove();
        }
      }),
  });
}
