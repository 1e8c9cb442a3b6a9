import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import { Engine } from "../../src/engine/engine.ts";
import { CounterBook } from "../../src/engine/counters.ts";
import type { Io } from "../../src/engine/io.ts";
import { WITHOUT_EFFECT } from "../../src/plugins/without_effect/setup.ts";
import { CHAIN } from "../../src/plugins/chain.ts";
import { HANDLERS } from "../support/engine/all_plugins.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const SECTIONS = ["Name", "Description", "Syntax", "Metrics", "Examples"];
const host = fakeHost({
  "/etc/hosts": "127.0.0.1 localhost\n",
  "/etc/nodens/hosts": "",
  "/etc/nodens/blocked": "",
  "/etc/nodens/ca.pem": "",
  "/etc/nodens/cert.pem": "",
  "/etc/nodens/key.pem": "",
  "/etc/resolv.conf": "nameserver 192.0.2.53\n",
});

for (const { name, supported } of CHAIN) {
  if (!supported || name in WITHOUT_EFFECT) continue;
  const path = new URL(`../../src/plugins/${name}/README.md`, import.meta.url);
  const readme = Deno.readTextFileSync(path);

  Deno.test(`README of ${name} has the usual sections`, () => {
    assert.match(readme, new RegExp(`^# ${name}\n\n## Name\n\n_${name}_ - `));
    const sections = [...readme.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
    assert.deepEqual(sections, SECTIONS);
  });

  const fences = [...readme.matchAll(/^```corefile\n([^]*?)^```$/gm)].map((match) => ({
    line: readme.slice(0, match.index).split("\n").length + 1,
    text: match[1]!,
  }));

  Deno.test(`README of ${name} has examples that use it`, () => {
    assert.ok(fences.length > 0);
    for (const { line, text } of fences) {
      assert.match(text, new RegExp(`^ +${name}\\b`, "m"), `line ${line}`);
    }
  });

  for (const { line, text } of fences) {
    Deno.test(`README of ${name}, line ${line}: the Corefile boots without a warning`, () => {
      const { config, warnings } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, host);
      assert.deepEqual(warnings, []);
      const engine = new Engine({
        io: {} as Io,
        counters: new CounterBook(new SharedArrayBuffer(8 * 1024)),
        random: () => 4,
        handlers: HANDLERS,
        log: (_level, text) => assert.fail(text),
      });
      engine.configure(config);
      engine.configure({ ...config, blocks: [], listeners: [] });
    });
  }
}
