/** The page as the serving command offers it. */
import assert from "node:assert/strict";
import { startProcess, type TestProcess } from "../../support/processes/process.ts";
import { MAIN, STARTED } from "../../support/processes/nodens.ts";
import { PATIENCE } from "../../support/run/patience.ts";
import { linuxReasons, skipFor } from "../../support/run/require.ts";
import { freePort } from "../../support/servers/ports.ts";
import { RawHttp } from "../../control/endpoints/http_raw.ts";
import { inFolder } from "./scene.ts";

interface Scene {
  process: TestProcess;
  file: string;
  corefile: string;
  http: number;
  url: string;
}

async function serving(args: string[], use: (scene: Scene) => Promise<void>): Promise<void> {
  const http = freePort();
  const corefile = `.:${freePort()} {
    bind 127.0.0.1
    prometheus 127.0.0.1:${http}
    whoami
  }\n`;
  await inFolder({ Corefile: corefile }, async (folder) => {
    const file = `${folder}/Corefile`;
    const process = await startProcess(Deno.execPath(), {
      args: ["run", "-A", MAIN, "-conf", file, "-control", "off", ...args],
      ready: (output) => STARTED.test(output),
    });
    try {
      await use({ process, file, corefile, http, url: `http://127.0.0.1:${http}` });
    } finally {
      assert.equal((await process.stop()).code, 0, process.output);
    }
  });
}

/** The stream has a view each second. */
const LOOK_MS = 60_000 * PATIENCE;
/** nobody: may also stand for a user outside a user namespace, and is shown no Corefile. */
const OVERFLOW_USER = 65_534;

/** Reasons why the own user is shown no Corefile; for `skipFor`. */
function untrustedReasons(): string[] {
  return Deno.uid() === OVERFLOW_USER ? ["the page does not trust the user 65534 (nobody)"] : [];
}

/**
 * The first view that meets a condition, with the Corefile that is shown beside it. Throws after a
 * minute.
 */
async function look(
  url: string,
  isWanted: (view: View, corefile: string) => boolean = () => true,
): Promise<{ view: View; corefile: string }> {
  const response = await fetch(`${url}/events`);
  const limitMs = performance.now() + LOOK_MS;
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (performance.now() > limitMs) throw new Error(`The page has not shown it: ${text}`);
    const [view, corefile] = ["view", "corefile"].map((name) =>
      [...text.matchAll(new RegExp(`^event: ${name}\ndata: (.*)\n\n`, "gm"))].at(-1)?.[1]
    );
    if (view === undefined || corefile === undefined) continue;
    const shown = { view: JSON.parse(view), corefile: JSON.parse(corefile).text };
    if (isWanted(shown.view, shown.corefile)) return shown;
  }
  throw new Error(`The stream ends: ${text}`);
}

interface View {
  top: { pid: number };
  reload: { ok: boolean; faults: string[] } | null;
  withheld: boolean;
}

Deno.test({
  name: "page: shows the Corefile in force and why a newer one is refused",
  ...skipFor([...linuxReasons(), ...untrustedReasons()]),
  fn: () =>
    serving([], async ({ process, file, corefile, url }) => {
      const first = await look(url);
      assert.equal(first.view.top.pid, process.pid);
      assert.deepEqual([first.view.reload, first.view.withheld], [null, false]);
      assert.equal(first.corefile, corefile);
      const reload = (text: string) => {
        Deno.writeTextFileSync(file, text);
        Deno.kill(process.pid, "SIGHUP");
      };
      reload(corefile.replace("whoami", "whoareyou"));
      const refused = await look(url, ({ reload }) => reload?.ok === false);
      assert.match(refused.view.reload!.faults[0]!, /whoareyou/);
      assert.equal(refused.corefile, corefile);
      const changed = corefile.replace("whoami", "whoami # changed");
      reload(changed);
      await look(url, (view, shown) => view.reload?.ok === true && shown === changed);
    }),
});

Deno.test("page: rebound names get no page and no status, but metrics", () =>
  serving([], async ({ http }) => {
    const statusFor = async (path: string, host: string) => {
      const client = await RawHttp.open(http);
      await client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      const [, status] = /^HTTP\/1\.1 (\d+) /.exec(await client.response()) ?? [];
      client.close();
      return status;
    };
    for (const path of ["/", "/status"]) {
      assert.equal(await statusFor(path, `localhost:${http}`), "200", path);
      assert.equal(await statusFor(path, `rebound.example:${http}`), "403", path);
    }
    assert.equal(await statusFor("/events", `rebound.example:${http}`), "403");
    assert.equal(await statusFor("/metrics", `rebound.example:${http}`), "200");
  }));

Deno.test("page: -page off leaves status and metrics", () =>
  serving(["-page", "off"], async ({ url }) => {
    for (const [path, status] of [["/", 404], ["/events", 404], ["/status", 200]] as const) {
      const response = await fetch(`${url}${path}`);
      await response.body?.cancel();
      assert.equal(response.status, status, path);
    }
  }));

Deno.test("page: -page local shows everything without FFI", () =>
  serving(["-page", "local", "-io", "portable"], async ({ url }) => {
    assert.equal((await look(url)).view.withheld, false);
  }));
