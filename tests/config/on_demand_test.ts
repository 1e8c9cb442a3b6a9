import assert from "node:assert/strict";
import { handlerParts } from "../../src/plugins/config_traits.ts";
import { handlerModules, HANDLERS } from "../../src/plugins/handlers.ts";
import { SETUPS } from "../../src/plugins/setups.ts";
import { describeConfig } from "../../src/loading/describe.ts";
import { readConfig } from "../../src/loading/load.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const read = (text: string) =>
  readConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost({ "/etc/hosts": "" }));

function loaded(list: ReadonlyMap<string, { isLoaded: boolean }>): string[] {
  return [...list].filter(([, { isLoaded }]) => isLoaded).map(([name]) => name);
}

// The order of these tests matters: what is loaded stays loaded.

Deno.test("the Corefile of node-local-dns needs nothing that is not loaded at the start", async () => {
  const before = loaded(SETUPS);
  const template = await Deno.readTextFile(new URL("node_local_dns.corefile", import.meta.url));
  const text = template.replace(/__PILLAR__DNS__DOMAIN__/g, "cluster.local")
    .replace(/__PILLAR__[A-Z_]+?__(?![A-Z])/g, "192.0.2.53");
  const { config } = await read(text);
  assert.deepEqual(loaded(SETUPS), before);
  assert.deepEqual(handlerModules(handlerParts(config)).filter(({ isLoaded }) => !isLoaded), []);
});

Deno.test("a Corefile loads what it names, and nothing else", async () => {
  const before = loaded(SETUPS);
  const text =
    ". {\n hosts\n template IN A . {\n rcode NXDOMAIN\n }\n rewrite name a. b.\n whoami\n}\n";
  const { config } = await read(text);
  const added = loaded(SETUPS).filter((name) => !before.includes(name));
  assert.deepEqual(added.sort(), ["hosts", "rewrite", "template", "whoami"]);
  assert.match(describeConfig(config).join(), /hosts/);
});

Deno.test("handlers: options name the parts that they need", async () => {
  const partsOf = async (directives: string) =>
    handlerParts((await read(`. {\n ${directives}\n forward . ::1\n}\n`)).config);
  assert.deepEqual(await partsOf("cache"), ["cache", "forward"]);
  const kept = "cache {\n serve_stale\n keep www.example.org A\n search_cut cluster.local\n }";
  assert.deepEqual(await partsOf(kept), ["cache", "forward", "keep", "search_cut"]);
  assert.deepEqual(await partsOf("errors {\n consolidate 1m x\n }"), [
    "errors",
    "forward",
    "patterns",
  ]);
});

Deno.test("handlers: every directive that adds one has a creator", () => {
  for (const name of HANDLERS.keys()) assert.ok(SETUPS.has(name), name);
});
