import assert from "node:assert/strict";
import type { TopSnapshot } from "../../../src/control/observe/top_snapshot.ts";
import type { WatchLine } from "../../../src/control/observe/watch.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { withFolder } from "../../support/run/folder.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { run, serve } from "../serve/scene.ts";

const corefile = (port: number) =>
  `.:${port} {
  bind 127.0.0.1
  cache
  template IN A {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
  }
}
`;

/** Asks for an address; resolves when it is there. */
async function ask(port: number, name: string): Promise<void> {
  const nameServer = { ipAddr: "127.0.0.1", port };
  assert.deepEqual(await Deno.resolveDns(name, "A", { nameServer }), ["192.0.2.1"]);
}

async function withNodens(
  args: string[],
  use: (port: number, control: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const control = `${folder}/control.sock`;
    const port = freePort();
    await serve(corefile(port), async () => {
      await until(() => exists(control));
      await use(port, control);
    }, { args: ["-control", control, ...args] });
  });
}

Deno.test("top shows what a serving nodens was asked", () =>
  withNodens([], async (port, control) => {
    for (let i = 0; i < 3; i++) await ask(port, "www.example.org");
    const top = (...args: string[]) => run(["top", "-control", control, ...args]);
    const { code, out, err } = await top();
    assert.equal(code, 0, err);
    assert.match(out, /^Answers: .*cache \d+\.\d %/m);
    assert.match(out, /^ +3 +\d+(\.\d)? +A +www\.example\.org\.$/m);
    assert.match(out, /^ +\d+ +\d+(\.\d)? +127\.0\.0\.1$/m);
    const json = JSON.parse((await top("-json", "-by", "zones", "-n", "1")).out) as TopSnapshot;
    assert.deepEqual(json.lists!.zones.map(({ zone }) => zone), ["example.org."]);
    assert.deepEqual(json.lists!.names, []);
    assert.deepEqual(json.dataPlanes, { running: 1, answered: 1 });
    assert.equal((await top("-by", "nmaes")).code, 2);
  }));

Deno.test("watch shows queries as they are answered, and ends with its reader", () =>
  withNodens(["-workers", "2"], async (port, control) => {
    const args = ["run", "-A", MAIN, "watch", "-json", "-name", "example.org", "-control", control];
    const watch = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" })
      .spawn();
    const lines: WatchLine[] = [];
    const reader = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const reading = (async () => {
      for (let text = "";;) {
        const { value, done } = await reader.read();
        if (done) return;
        text += value;
        const whole = text.split("\n");
        text = whole.pop()!;
        lines.push(...whole.map((line) => JSON.parse(line) as WatchLine));
        // The command must notice that nobody reads any more.
        if (lines.length > 0) return await reader.cancel();
      }
    })();
    let asked = 0;
    let ended = false;
    void watch.status.then(() => ended = true);
    const asking = (async () => {
      while (!ended) {
        await ask(port, "other.example.com");
        await ask(port, `n${asked++}.example.org`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      await until(() => ended, "the end of watch");
    } finally {
      if (!ended) watch.kill("SIGKILL");
      await Promise.all([reading, asking]);
    }
    const { name, client, rcode, source, address } = lines[0]!;
    assert.match(name, /^n\d+\.example\.org\.$/);
    assert.deepEqual([client, rcode, source, address], [
      ...["127.0.0.1", "NOERROR", "template", "192.0.2.1"],
    ]);
  }));

Deno.test("with -top off nothing is observed, and both commands say so", () =>
  withNodens(["-top", "off"], async (port, control) => {
    await ask(port, "www.example.org");
    const top = await run(["top", "-control", control]);
    assert.equal(top.code, 0);
    assert.match(top.out, /^No lists: this nodens was started with -top off\.$/m);
    const watch = await run(["watch", "-control", control]);
    assert.equal(watch.code, 1);
    assert.match(watch.err, /^nodens watch: this nodens observes no queries/);
  }));

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}
