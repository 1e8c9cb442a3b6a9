/** A machine whose ports have run out, in a network namespace of its own. */
import assert from "node:assert/strict";
import { folderWith } from "../support/processes/serving.ts";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { MAIN, STARTED } from "../support/processes/nodens.ts";
import { startProcess } from "../support/processes/process.ts";
import { skipFor } from "../support/run/require.ts";

const CLIENT = new URL("./port_shortage_client.ts", import.meta.url).pathname;
/** Nothing else is in the namespace. */
const [PORT, UPSTREAM] = [5300, 5301];
const QUERIES = 100;

const CASES: { title: string; delayMs: number; options: string; tcp: boolean }[] = [
  { title: "an upstream that is fast", delayMs: 1, options: "", tcp: false },
  { title: "an upstream that is slow", delayMs: 300, options: "", tcp: true },
  {
    title: "a source address",
    delayMs: 1,
    options: "source_address 127.0.0.5",
    tcp: false,
  },
];

for (const { title, delayMs, options, tcp } of CASES) {
  Deno.test({
    name: `with 20 free ports a hundred misses at once are all answered: ${title}`,
    ...skipFor(namespaceReasons()),
    async fn() {
      const namespace = new Namespace();
      const folder = folderWith({
        Corefile: `.:${PORT} {\n bind 127.0.0.1\n cache\n` +
          ` forward . 127.0.0.1:${UPSTREAM} {\n  max_fails 0\n  ${options}\n }\n}\n`,
      });
      try {
        namespace.sysctl("ipv4/ip_local_port_range", '"40000 40019"');
        const nodens = await startProcess("ip", {
          args: namespace.exec(
            ...[Deno.execPath(), "run", "-A", MAIN, "-conf", `${folder}/Corefile`],
          ),
          ready: (output) => STARTED.test(output),
        });
        try {
          const { success, stdout, stderr } = await new Deno.Command("ip", {
            args: namespace.exec(
              ...[Deno.execPath(), "run", "-A", CLIENT],
              ...[PORT, UPSTREAM, QUERIES, delayMs].map(String),
            ),
            stdin: "null",
          }).output();
          assert.ok(success, new TextDecoder().decode(stderr));
          const { rcodes, transports } = JSON.parse(new TextDecoder().decode(stdout));
          assert.deepEqual(rcodes, { NOERROR: QUERIES });
          if (tcp) assert.ok(transports.tcp > 0, "nothing went over TCP");
        } finally {
          await nodens.stop();
        }
      } finally {
        Deno.removeSync(folder, { recursive: true });
        namespace.remove();
      }
    },
  });
}
