import assert from "node:assert/strict";
import { loadConfig, readConfig } from "../../src/loading/load.ts";
import { CorefileErrors } from "../../src/corefile/error.ts";
import { CHAIN } from "../../src/plugins/chain.ts";
import { SETUPS } from "../../src/plugins/setups.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import "../support/engine/all_plugins.ts";

const load = (text: string) => loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());

/** Corefile of Kubernetes's add-on node-local-dns, with its variables. */
const NODE_LOCAL_DNS = await Deno.readTextFile(new URL("node_local_dns.corefile", import.meta.url));

Deno.test("configuration: the Corefile of node-local-dns has no warnings", () => {
  const variables: Record<string, string> = {
    __PILLAR__DNS__DOMAIN__: "cluster.local",
    __PILLAR__LOCAL__DNS__: "169.254.20.10",
    __PILLAR__DNS__SERVER__: "10.96.0.10",
    __PILLAR__CLUSTER__DNS__: "10.96.120.7",
    __PILLAR__UPSTREAM__SERVERS__: "192.0.2.53 192.0.2.54",
  };
  const text = NODE_LOCAL_DNS.replace(/__PILLAR__[A-Z_]+?__(?![A-Z])/g, (name) => variables[name]!);
  assert.ok(!text.includes("PILLAR"));
  const { config, warnings } = load(text);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.blocks.map(({ zones }) => zones), [
    ["cluster.local."],
    ["in-addr.arpa."],
    ["ip6.arpa."],
    ["."],
  ]);
  const addresses = config.listeners.map(({ address, port }) => `${address}:${port}`);
  assert.deepEqual(addresses, ["169.254.20.10:53", "10.96.0.10:53"]);
  for (const { plugins } of config.blocks) {
    const names = ["prometheus", "errors", "cache", "loop", "forward"];
    assert.deepEqual(plugins.map(({ name }) => name), names);
  }
});

Deno.test("configuration: contains only plain data", () => {
  const text = ". {\n errors {\n consolidate 1m x\n }\n log\n cache\n hosts\n forward . ::1\n}\n";
  const { config } = load(text);
  assert.deepEqual(structuredClone(config), config);
  assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
});

Deno.test("readConfig: compiles regular expressions", async () => {
  const read = (pattern: string) => {
    const text = `. {\n errors {\n  consolidate 1m ${pattern}\n }\n chache\n}\n`;
    return readConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  };
  await assert.rejects(
    () => read("("),
    (error) =>
      error instanceof CorefileErrors && error.errors.length === 2 &&
      /^Corefile:3: errors: consolidate: "\(" is not a regular expression: .*\nCorefile:5: /
        .test(error.message),
  );
  await assert.rejects(() => read('"^failed .*$"'), /^CorefileErrors: Corefile:5: unknown/);
});

Deno.test("directives: the supported ones are those with a setup", () => {
  const supported = CHAIN.filter(({ supported }) => supported).map(({ name }) => name);
  assert.deepEqual([...SETUPS.keys()].sort(), supported.sort());
});

Deno.test("faults: an unreadable file is reported with its reason", () => {
  const host = fakeHost({ "/etc/resolv.conf": "", "/srv/secret": "" });
  host.readTextFile = () => {
    throw new Deno.errors.PermissionDenied("os error 13");
  };
  const text = "import secret\n. {\n forward . /etc/resolv.conf\n}\n";
  assert.throws(() => loadConfig({ file: "Corefile", text, defaultPort: 53 }, host), {
    message: 'Corefile:1: cannot import "secret": permission denied (snippets are defined before' +
      ' they are imported)\nCorefile:3: forward: cannot read "/etc/resolv.conf": permission denied',
  });
});

Deno.test("Corefile: a hundred thousand leading comments and empty lines are skipped", () => {
  const text = `${"\n \n# x\n---\n".repeat(25_000)}. {\n whoami\n}\n`.replaceAll("---", "");
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost({}));
  assert.equal(config.blocks[0]!.line, 100_001);
});
