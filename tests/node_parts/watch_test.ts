import assert from "node:assert/strict";
import { BaseCorefile, SettledPoll } from "../../src/node/template/base_corefile.ts";
import { until } from "../support/run/until.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

/**
 * A volume as kubelet mounts it: names lead through `..data`, which is swapped for a new version.
 */
class Volume {
  readonly path: string;
  #version = 0;

  constructor(path: string, files: Record<string, string>) {
    this.path = path;
    Deno.mkdirSync(path);
    this.update(files);
  }

  /** Replaces all files at once, then adds and removes links. */
  update(files: Record<string, string>): void {
    const old = `${this.path}/..version_${this.#version}`;
    const version = `..version_${++this.#version}`;
    Deno.mkdirSync(`${this.path}/${version}`);
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${this.path}/${version}/${name}`, text);
    }
    Deno.symlinkSync(version, `${this.path}/..data_tmp`);
    Deno.renameSync(`${this.path}/..data_tmp`, `${this.path}/..data`);
    const names = [...Deno.readDirSync(this.path)].map(({ name }) => name);
    for (const name of Object.keys(files)) {
      if (!names.includes(name)) Deno.symlinkSync(`..data/${name}`, `${this.path}/${name}`);
    }
    for (const name of names.filter((name) => !name.startsWith(".."))) {
      if (!(name in files)) Deno.removeSync(`${this.path}/${name}`);
    }
    if (this.#version > 1) Deno.removeSync(old, { recursive: true });
  }
}

const TEMPLATE = "bind __PILLAR__LOCAL__DNS__\nforward . __PILLAR__CLUSTER__DNS__\n";
const PLAIN = "bind ::1\nforward . 10.96.0.10\n";

/** Makes a Corefile from two volumes during `use`; that of the config map may be missing. */
async function watching(
  configMap: Record<string, string> | null,
  use: (context: {
    template: Volume;
    config: string;
    target: string;
    changes: string[];
    faults: string[];
    first: string | null;
    polled: (condition: () => boolean) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const template = new Volume(`${folder}/coredns`, { "Corefile.base": TEMPLATE });
  const config = `${folder}/kube-dns`;
  if (configMap !== null) new Volume(config, configMap);
  const target = `${folder}/Corefile`;
  const changes: string[] = [];
  const faults: string[] = [];
  const base = new BaseCorefile({
    baseFile: `${template.path}/Corefile.base`,
    baseRequired: true,
    target,
    configDirectory: config,
    configRequired: false,
    upstreamService: "kube-dns",
    domain: "cluster.local",
    metricsEndpoint: ":9253",
    localIps: ["::1"],
    dnsPort: 53,
  }, {
    env: (name) => name === "KUBE_DNS_SERVICE_HOST" ? "10.96.0.10" : undefined,
    check: (text) => Promise.resolve(text.includes("chache") ? "chache is unknown" : null),
    onChange: (text) => {
      // It is written before the callback.
      assert.equal(Deno.readTextFileSync(target), text);
      changes.push(text);
    },
    onFault: (message) => void faults.push(message),
    clock,
  });
  try {
    const first = await base.start();
    const polled = (condition: () => boolean) =>
      until(() => {
        void clock.advance(2000);
        return condition();
      });
    await use({ template, config, target, changes, faults, first, polled });
  } finally {
    await base.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("BaseCorefile: follows a template swapped by kubelet, and reports a faulty one once", async () => {
  await watching({}, async ({ template, target, changes, faults, first, polled }) => {
    assert.equal(first, PLAIN);
    assert.equal(Deno.readTextFileSync(target), PLAIN);
    template.update({ "Corefile.base": `errors\n${TEMPLATE}` });
    await polled(() => changes.length === 1);
    template.update({ "Corefile.base": `chache\n${TEMPLATE}` });
    await polled(() => faults.length === 1);
    assert.equal(Deno.readTextFileSync(target), `errors\n${PLAIN}`);
    template.update({ "Corefile.base": `log\n${TEMPLATE}` });
    await polled(() => changes.length === 2);
    assert.deepEqual(changes, [`errors\n${PLAIN}`, `log\n${PLAIN}`]);
    assert.match(faults.join("\n"), /^[^\n]+ cannot be served: chache is unknown$/);
  });
});

Deno.test("BaseCorefile: follows a config map that kubelet mounts, swaps and empties", async () => {
  await watching(null, async ({ config, changes, faults, first, polled }) => {
    assert.equal(first, PLAIN);
    const volume = new Volume(config, { stubDomains: '{"a.local": ["192.0.2.1"]}' });
    await polled(() => changes.length === 1);
    volume.update({ stubDomains: '{"b.local": ["192.0.2.1"]}', upstreamNameservers: "[" });
    await polled(() => faults.length === 1);
    volume.update({ upstreamNameservers: "[]", stubDomains: '{"b.local": ["192.0.2.1"]}' });
    await polled(() => changes.length === 2);
    volume.update({});
    await polled(() => changes.length === 3);
    const block = (name: string) =>
      `${PLAIN}\n${name}:53 {\n    errors\n    cache 30\n    bind ::1\n    forward . 192.0.2.1\n}\n`;
    assert.deepEqual(changes, [block("a.local"), block("b.local"), PLAIN]);
    assert.match(faults.join("\n"), /^The kube-dns config map is not used: [^\n]+$/);
    assert.ok(faults[0]!.includes(`${config}/upstreamNameservers: it is not JSON`));
  });
});

Deno.test("SettledPoll: reports only a value that lasts for two reads", async () => {
  const clock = new VirtualClock();
  const found = ["a", "a", "b", "c", "a", "d", "d", "d"];
  const reported: string[] = [];
  const poll: SettledPoll<string> = new SettledPoll({
    read: () => Promise.resolve(found.shift() ?? "d"),
    onChange: (text) => Promise.resolve(void reported.push(text)),
    clock,
  });
  assert.equal(await poll.first(), "a");
  poll.start();
  await clock.advance(60_000);
  assert.deepEqual(reported, ["d"]);
  assert.deepEqual(found, []);
  await poll.stop();
});
