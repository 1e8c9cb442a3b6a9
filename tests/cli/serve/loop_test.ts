import assert from "node:assert/strict";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { decode, errorCodes, queryBytes } from "../../support/messages/messages.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { startProcess, type TestProcess } from "../../support/processes/process.ts";
import { folderWith } from "../../support/processes/serving.ts";
import { isLinux } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";
import { inFolder, run } from "./scene.ts";

const LIMIT_MS = 30_000;

interface Scene {
  process: TestProcess;
  dns: number;
  ready(): Promise<{ status: number; text: string }>;
}

/** Runs nodens with a block that forwards to itself, and another. */
async function withLoop(
  { args, option = "" }: { args: string[]; option?: string },
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const [dns, http] = [freePort(), freePort()];
  const folder = folderWith({
    Corefile:
      `.:${dns} {\n bind 127.0.0.1\n ready 127.0.0.1:${http}\n prometheus 127.0.0.1:${http}\n` +
      ` errors\n cache\n loop\n forward . 127.0.0.1:${dns} {\n${option}\n}\n}\n` +
      `who.test:${dns} {\n bind 127.0.0.1\n loop\n whoami\n}\n`,
  });
  const process = await startProcess(Deno.execPath(), {
    args: ["run", "-A", MAIN, "-conf", `${folder}/Corefile`, ...args],
    ready: (output) => output.includes("plugin/loop"),
    readyWithinMs: LIMIT_MS,
  });
  try {
    await use({
      process,
      dns,
      ready: async () => {
        const response = await fetch(`http://127.0.0.1:${http}/ready`);
        return { status: response.status, text: await response.text() };
      },
    });
  } finally {
    await process.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

const portable = { args: ["-io", "portable"] };
const SETTINGS = isLinux()
  ? [
    { args: ["-io", "linux"] },
    { args: ["-workers", "2"] },
    { args: ["-io", "linux"], option: "force_tcp" },
    portable,
  ]
  : [portable];

/** Address at which a probe returned; it may belong to another data plane. */
const where = (port: number) => `(?:\\(127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${port}\\) )`;

for (const settings of SETTINGS) {
  const title = Object.values(settings).flat().join(" ");
  Deno.test(`a loop to itself is logged, and nodens with ${title} keeps serving`, async () => {
    await withLoop(settings, async ({ process, dns, ready }) => {
      const planes = settings.args[0] === "-workers" ? 2 : 1;
      const found = () => process.output.split("plugin/loop: Loop").length - 1;
      await until(() => found() === planes && /^nodens \d/m.test(process.output), "the log lines");
      assert.match(
        process.output,
        new RegExp(
          `\\[ERROR\\] plugin/loop: Loop ${where(dns)}${planes === 1 ? "" : "?"}detected ` +
            `for zone "\\.": queries forwarded to 127\\.0\\.0\\.1:${dns} come back\\.`,
        ),
      );
      for (let id = 0; id < 10; id++) {
        const query = queryBytes({ name: `n${id}.example.org`, id, edns: 1232 });
        const answer = decode(await askUdp(query, { port: dns, limitMs: LIMIT_MS }));
        assert.equal(answer.rcode, "SERVFAIL");
        assert.deepEqual(errorCodes(answer), [14]);
      }
      assert.deepEqual(await ready(), { status: 503, text: "loop\n" });
      const other = await askUdp(queryBytes({ name: "a.who.test" }), { port: dns });
      assert.equal(decode(other).rcode, "NOERROR");
      assert.equal(found(), planes);
      assert.equal((await process.stop()).code, 0);
    });
  });
}

Deno.test("with -loop-exit nodens ends with code 1", async () => {
  const dns = freePort();
  const corefile = `.:${dns} {\n bind 127.0.0.1\n loop\n forward . 127.0.0.1:${dns}\n}\n`;
  await inFolder({ Corefile: corefile }, async (folder) => {
    const { code, out, err } = await run(["-conf", `${folder}/Corefile`, "-loop-exit"]);
    assert.equal(code, 1);
    assert.match(out, /^(?:\S+Z )?\[ERROR\] plugin\/loop: Loop \(.* detected for zone "\."/m);
    assert.match(
      err,
      /^(?:\S+Z )?\[FATAL\] plugin\/loop: a forwarding loop was found for zone "\."; ending because of -loop-exit$/m,
    );
  });
});
