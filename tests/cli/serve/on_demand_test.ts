/** Plugins that are loaded when a Corefile names them, in processes that preload nothing. */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { askUdp } from "../../support/processes/drivers.ts";
import { MAIN } from "../../support/processes/nodens.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { driversHere } from "../../support/run/require.ts";
import { withFolder } from "../../support/run/folder.ts";
import { dataOf, inFolder, reload, run, withNodens } from "./scene.ts";

const ROOT = MAIN.slice(0, MAIN.lastIndexOf("/") + 1);

const block = (port: number, ...directives: string[]) =>
  `.:${port} {\n${["bind 127.0.0.1", ...directives].map((one) => ` ${one}\n`).join("")}}\n`;
const HOSTS = "hosts {\n  192.0.2.1 www.example.org\n }";
const TEMPLATE =
  'template IN A example.net {\n  match ^(.*)[.]example[.]net[.]$\n  answer "{{ .Name }} 60 IN A 192.0.2.2"\n }';
const REWRITE = "rewrite name alias.example.org www.example.org";
const OTHERS = [
  "acl {\n  allow net 127.0.0.0/8\n }",
  "any",
  "header {\n  response set ra\n }",
  "rrl {\n  responses-per-second 100\n }",
];

async function ask(port: number, name: string): Promise<string> {
  const answer = decode(await askUdp(queryBytes({ name }), { port }));
  return dataOf(answer) ?? answer.rcode;
}

for (const io of driversHere()) {
  const args = io === "linux" ? ["-io", io, "-workers", "2"] : ["-io", io];

  Deno.test(`${io}: plugins that the Corefile names are loaded at the start`, async () => {
    const corefile = (port: number) => block(port, HOSTS, TEMPLATE, REWRITE, ...OTHERS);
    await withNodens({ corefile, args }, async ({ port }) => {
      assert.equal(await ask(port, "www.example.org"), "192.0.2.1");
      assert.equal(await ask(port, "alias.example.org"), "192.0.2.1");
      assert.equal(await ask(port, "any.example.net"), "192.0.2.2");
    });
  });

  Deno.test(`${io}: plugins that a reload names are loaded by it`, async () => {
    const corefile = (port: number) => block(port, "errors");
    await withNodens({ corefile, args }, async (nodens) => {
      const { port } = nodens;
      assert.equal(await ask(port, "any.example.net"), "SERVFAIL");
      const next = block(port, TEMPLATE, REWRITE, HOSTS, ...OTHERS);
      assert.equal(await reload(nodens, next), "Reloading complete");
      assert.equal(await ask(port, "any.example.net"), "192.0.2.2");
      assert.equal(await ask(port, "alias.example.org"), "192.0.2.1");
    });
  });

  for (const part of ["setup", "handler"]) {
    Deno.test(`${io}: a reload whose ${part} cannot be loaded is refused`, async () => {
      await withFolder(async (folder) => {
        for (const path of ["main.ts", "deno.json", "deno.lock", "src"]) {
          cpSync(ROOT + path, `${folder}/${path}`, { recursive: true });
        }
        const corefile = (port: number) => block(port, HOSTS);
        const main = `${folder}/main.ts`;
        await withNodens({ corefile, args, main }, async (nodens) => {
          const { port } = nodens;
          Deno.removeSync(`${folder}/src/plugins/template/${part}.ts`);
          assert.equal(await reload(nodens, block(port, TEMPLATE, HOSTS)), "not applied");
          assert.match(nodens.output, /Cannot load a part of nodens: .*template/);
          assert.equal(await ask(port, "www.example.org"), "192.0.2.1");
          assert.equal(await reload(nodens, block(port, "any", HOSTS)), "Reloading complete");
          assert.equal(await ask(port, "www.example.org"), "192.0.2.1");
        });
      });
    });
  }
}

Deno.test("check loads what the Corefile names", async () => {
  const files = { Corefile: block(53, TEMPLATE, REWRITE, HOSTS, ...OTHERS, "whoami") };
  await inFolder(files, async (folder) => {
    const { code, out, err } = await run(["check", `${folder}/Corefile`]);
    assert.equal(code, 0, err);
    assert.match(out, /hosts/);
    assert.match(out, /template/);
  });
});
