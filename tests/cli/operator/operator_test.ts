import assert from "node:assert/strict";
import { run, serve } from "../serve/scene.ts";
import { withFolder } from "../../support/run/folder.ts";
import { leaveSocket } from "../../support/servers/left_socket.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";

const corefile = () => `.:${freePort()} {\n bind 127.0.0.1\n whoami\n}\n`;

Deno.test("reload, log and stop reach the nodens that serves", async () => {
  await withFolder(async (folder) => {
    const control = `${folder}/control.sock`;
    const ask = (...args: string[]) => run([...args, "-control", control]);
    const code = await serve(corefile(), async (out, served) => {
      await until(() => exists(control));
      const reload = await ask("reload");
      assert.match(reload.out, /^The Corefile of .*Z is served\.\n$/);
      Deno.writeTextFileSync(`${served}/Corefile`, ". {\n nothing\n}\n");
      const refused = await ask("reload");
      assert.equal(refused.code, 1);
      assert.match(refused.err, /^nodens reload: the new Corefile is refused: .*Corefile:2: /);
      const log = await ask("log", "-for", "5m", "debug", "on");
      assert.equal(log.out, "Debug lines are logged for 300 s.\n");
      assert.match(out(), /control: log debug="on" for="5m" \(from user/);
      assert.equal((await ask("log", "debug", "maybe")).code, 2);
      assert.equal((await ask("stop", "-json")).out, '{"stopping":true}\n');
      await until(() => !exists(control));
    }, { args: ["-control", control] });
    assert.equal(code, 0);
  });
});

Deno.test("a command that finds no nodens names the paths that it has tried", async () => {
  await withFolder(async (folder) => {
    const missing = await run(["reload", "-control", `${folder}/none.sock`]);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /^nodens reload: cannot ask at ".*none\.sock": there is no such/);
    const path = `${folder}/left.sock`;
    leaveSocket(path);
    const left = await run(["reload", "-control", path]);
    assert.match(left.err, /nobody listens there \(left by a crash/);
  });
});

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}
