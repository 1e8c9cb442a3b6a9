import assert from "node:assert/strict";
import { denoHost } from "../../src/control/host_deno.ts";
import { loadConfig } from "../../src/loading/load.ts";
import type { ForwardOptions } from "../../src/plugins/forward/options.ts";
import { UpstreamGroup } from "../../src/upstream/group.ts";
import { fakeEngine } from "../support/engine/fake_engine.ts";

function settings(): ForwardOptions {
  const text = ". {\nforward . 10.0.0.1 10.0.0.2\n}";
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost);
  return config.blocks[0]!.plugins[0]!.options as ForwardOptions;
}

Deno.test("a group has equal servers once, from the start and after a change", () => {
  const options = settings();
  const [first, second] = options.upstreams as [ForwardOptions["upstreams"][0], never];
  const servers = [first, second, first];
  const engine = fakeEngine();
  const group = new UpstreamGroup(servers, options, {
    engine,
    labels: { from: "." },
    zones: ["."],
  });
  const labels = () => group.servers.map(({ label }) => label);
  assert.deepEqual(labels(), ["10.0.0.1:53", "10.0.0.2:53"]);
  const before = group.servers[0];
  group.change(servers, options);
  assert.deepEqual(labels(), ["10.0.0.1:53", "10.0.0.2:53"]);
  assert.equal(group.servers[0], before);
});
