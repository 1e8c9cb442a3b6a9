import assert from "node:assert/strict";
import { probeCorefile, STAND_IN } from "../../src/doctor/probe/corefile.ts";
import type { TemplateOptions } from "../../src/node/options.ts";
import type { HostView } from "../../src/config/host.ts";
import type { ForwardOptions } from "../../src/plugins/forward/options.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const LOCAL = "169.254.20.10";
const TEMPLATE: TemplateOptions = {
  baseFile: "/base",
  baseRequired: false,
  target: "/made",
  configDirectory: "/kube-dns",
  configRequired: false,
  upstreamService: "kube-dns-upstream",
  domain: "cluster.local",
  metricsEndpoint: ":9253",
  localIps: [LOCAL],
  dnsPort: 53,
};
const BASE = `__PILLAR__DNS__DOMAIN__:53 {
    bind __PILLAR__LOCAL__DNS__
    forward . __PILLAR__CLUSTER__DNS__
}
`;

function look(
  files: Record<string, string>,
  changes: { env?: Record<string, string>; template?: Partial<TemplateOptions> | null } = {},
) {
  const { env = {}, template = {} } = changes;
  const host: HostView = {
    ...fakeHost(),
    env: (name) => env[name],
    readTextFile(path) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound(path);
      return text;
    },
    kindOf(path) {
      if (path in files) return "file";
      return Object.keys(files).some((file) => file.startsWith(`${path}/`)) ? "directory" : null;
    },
  };
  return probeCorefile({
    node: { template: template === null ? null : { ...TEMPLATE, ...template }, dnsPort: 53 },
    corefile: template === null ? "/made" : "",
  }, host);
}

const env = { KUBE_DNS_UPSTREAM_SERVICE_HOST: "10.96.0.11" };

Deno.test("probeCorefile: fills and reads the template", async () => {
  const { corefile, service } = await look({
    "/base": BASE,
    "/kube-dns/stubDomains": '{"acme.local": ["192.0.2.7"]}',
  }, { env });
  assert.deepEqual(corefile.faults, []);
  assert.equal(corefile.source, "/made, made of /base");
  assert.deepEqual(corefile.config!.blocks.map(({ zones }) => zones), [
    ["cluster.local."],
    ["acme.local."],
  ]);
  assert.equal(service.needed, true);
  assert.deepEqual(service.address, { address: "10.96.0.11" });
});

Deno.test("probeCorefile: checks the rest of a template without its Service", async () => {
  const { corefile, service } = await look({ "/base": BASE });
  assert.deepEqual(corefile.faults, []);
  assert.match(corefile.source, /but for the Service of kube-dns/);
  assert.ok("why" in service.address && service.needed);
  const forward = corefile.config!.blocks[0]!.plugins.find(({ name }) => name === "forward")!;
  assert.equal((forward.options as ForwardOptions).upstreams[0]!.address, STAND_IN);
});

Deno.test("probeCorefile: a variable in a comment needs no Service", async () => {
  const { service } = await look({
    "/base": ". {\n    # __PILLAR__CLUSTER__DNS__\n    whoami\n}\n",
  });
  assert.equal(service.needed, false);
});

Deno.test("probeCorefile: reports faults of template, config map and Corefile", async () => {
  const unknown = await look({ "/base": `${BASE}__PILLAR__X__ {\n}\n` }, { env });
  assert.match(unknown.corefile.faults.join(), /\/base:5: __PILLAR__X__ cannot be filled/);
  const wrong = await look({ "/base": BASE, "/kube-dns/stubDomains": "[" }, { env });
  assert.match(wrong.corefile.faults.join(), /\/kube-dns\/stubDomains/);
  const missing = await look({}, { template: { baseRequired: true } });
  assert.deepEqual(missing.corefile.faults, [
    'Cannot read the template "/base": there is no such file',
  ]);
  const map = await look({ "/base": BASE }, { env, template: { configRequired: true } });
  assert.deepEqual(map.corefile.faults, [
    'Cannot read "/kube-dns": there is no such directory (mount the config map kube-dns there, or' +
    " omit -kubednscm)",
  ]);
  const plain = await look({ "/made": ". {\n    whoam\n}\n" }, { template: null });
  assert.match(plain.corefile.faults.join(), /\/made:2: .*whoam/);
  assert.equal(plain.service.service, null);
});

Deno.test("probeCorefile: uses the existing Corefile if the template fails", async () => {
  const served = ". {\n    bind 169.254.20.10\n    whoami\n}\n";
  const broken = await look({ "/base": "__PILLAR__X__ {\n}\n", "/made": served }, { env });
  assert.equal(broken.corefile.faults.length, 1);
  assert.equal(broken.corefile.config!.listeners[0]!.address, LOCAL);
  const gone = await look({ "/made": served }, { template: { baseRequired: true } });
  assert.equal(gone.corefile.faults.length, 1);
  assert.equal(gone.corefile.config!.listeners[0]!.address, LOCAL);
  const none = await look({ "/made": served });
  assert.deepEqual(none.corefile.faults, []);
  assert.equal(none.corefile.source, "/made");
});
