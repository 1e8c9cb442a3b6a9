import assert from "node:assert/strict";
import {
  BaseCorefile,
  type BaseCorefileSurroundings,
} from "../../../src/node/template/base_corefile.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import type { ConfigFiles } from "../../../src/node/template/config_files.ts";
import type { TemplateOptions } from "../../../src/node/options.ts";

const BASE = "/etc/coredns/Corefile.base";
const TARGET = "/etc/Corefile";
const STUBS = "/etc/kube-dns/stubDomains";
const UPSTREAMS = "/etc/kube-dns/upstreamNameservers";

const TEMPLATE = "forward . __PILLAR__UPSTREAM__SERVERS__\n";
const PLAIN = "forward . /etc/resolv.conf\n";
const CUSTOM = "forward . 192.0.2.1\n";
const stub = (name: string) =>
  `\n${name}:53 {\n    errors\n    cache 30\n    bind 169.254.20.10\n    forward . 192.0.2.9\n}\n`;

const OPTIONS: TemplateOptions = {
  baseFile: BASE,
  baseRequired: false,
  target: TARGET,
  configDirectory: "/etc/kube-dns",
  configRequired: false,
  upstreamService: "kube-dns-upstream",
  domain: "cluster.local",
  metricsEndpoint: ":9253",
  localIps: ["169.254.20.10"],
  dnsPort: 53,
};

/** Files in memory; `read` throws an entry that is an error. */
class FakeFiles implements ConfigFiles {
  readonly texts: Record<string, string | Error> = {};
  readonly #directories = new Set<string>();
  writes: string[] = [];
  writeError: Error | null = null;

  constructor(texts: Record<string, string | Error>) {
    for (const [path, text] of Object.entries(texts)) this.put(path, text);
  }

  put(path: string, text: string | Error): void {
    this.texts[path] = text;
    this.#directories.add(path.replace(/\/[^/]*$/, ""));
  }

  read(path: string): Promise<string> {
    const text = this.texts[path] ?? new Deno.errors.NotFound("os error 2");
    return text instanceof Error ? Promise.reject(text) : Promise.resolve(text);
  }

  isDirectory(path: string): Promise<boolean> {
    return Promise.resolve(this.#directories.has(path));
  }

  write(path: string, text: string): Promise<void> {
    if (this.writeError !== null) return Promise.reject(this.writeError);
    this.writes.push(path);
    this.texts[path] = text;
    return Promise.resolve();
  }
}

async function begin(
  texts: Record<string, string | Error>,
  { options = {}, check, prepare }: {
    options?: Partial<TemplateOptions>;
    check?: BaseCorefileSurroundings["check"];
    prepare?: (files: FakeFiles) => void;
  } = {},
) {
  const files = new FakeFiles(texts);
  prepare?.(files);
  const changes: string[] = [];
  const faults: string[] = [];
  const base = new BaseCorefile({ ...OPTIONS, ...options }, {
    files,
    env: () => undefined,
    check: check ?? (() => Promise.resolve(null)),
    onChange: (text) => void changes.push(text),
    onFault: (message) => void faults.push(message),
    clock: new VirtualClock(),
  });
  const first = await base.start();
  await base.stop();
  /** Changes files, refreshes, and returns the new faults. */
  const change = async (changed: Record<string, string | Error | undefined> = {}) => {
    faults.length = 0;
    for (const [path, text] of Object.entries(changed)) {
      if (text === undefined) delete files.texts[path];
      else files.put(path, text);
    }
    await base.refresh();
    return [...faults];
  };
  return { base, files, first, changes, faults, change };
}

Deno.test("BaseCorefile: makes the Corefile from template and config map, and writes it", async () => {
  const { base, files, first, changes, faults } = await begin({
    [BASE]: TEMPLATE,
    [UPSTREAMS]: '["192.0.2.1"]',
    [STUBS]: '{"b.local": ["192.0.2.9"], "a.local": ["192.0.2.9"]}',
  });
  assert.equal(first, CUSTOM + stub("a.local") + stub("b.local"));
  assert.equal(files.texts[TARGET], first);
  assert.deepEqual([changes, faults], [[], []]);
  assert.equal(
    base.summary,
    "/etc/Corefile is made of /etc/coredns/Corefile.base, 2 stub domains, " +
      "upstream servers: 192.0.2.1",
  );
});

Deno.test("BaseCorefile: does not rewrite an equal Corefile", async () => {
  const { files, first, change, changes } = await begin({ [BASE]: TEMPLATE, [TARGET]: PLAIN });
  assert.equal(first, PLAIN);
  assert.deepEqual(await change({ [STUBS]: "{}" }), []);
  assert.deepEqual([files.writes, changes], [[], []]);
});

Deno.test("BaseCorefile: follows each file, and ignores the order of keys", async () => {
  const { files, changes, change } = await begin({ [BASE]: TEMPLATE, [UPSTREAMS]: "[]" });
  assert.deepEqual(await change({ [UPSTREAMS]: '["192.0.2.1"]' }), []);
  assert.deepEqual(changes, [CUSTOM]);
  await change({ [STUBS]: '{"a": ["192.0.2.9"], "b": ["192.0.2.9"]}' });
  await change({ [STUBS]: '{"b": ["192.0.2.9"], "a": ["192.0.2.9"]}' });
  await change({ [STUBS]: undefined, [UPSTREAMS]: undefined });
  await change({ [BASE]: `errors\n${TEMPLATE}` });
  const all = [CUSTOM, CUSTOM + stub("a") + stub("b"), PLAIN, `errors\n${PLAIN}`];
  assert.deepEqual(changes, all);
  assert.deepEqual(files.writes, [TARGET, ...all.map(() => TARGET)]);
  assert.equal(files.texts[TARGET], all.at(-1));
});

Deno.test("BaseCorefile: reports a faulty config map, and keeps the previous one", async () => {
  const { files, changes, change } = await begin({
    [BASE]: TEMPLATE,
    [UPSTREAMS]: '["192.0.2.1"]',
  });
  const faults = await change({ [UPSTREAMS]: '["192.0.2.300"]', [STUBS]: '{"a": ["192.0.2.9"]}' });
  assert.deepEqual(faults, [
    'The kube-dns config map is not used: /etc/kube-dns/upstreamNameservers: "192.0.2.300" is not an ' +
    "IP address with an optional port (write 10.0.0.10, 10.0.0.10:1053 or [2001:db8::1]:1053)",
  ]);
  assert.deepEqual(changes, []);
  await change({ [BASE]: `errors\n${TEMPLATE}` });
  assert.deepEqual(changes, [`errors\n${CUSTOM}`]);
  assert.deepEqual(await change({ [STUBS]: new Error("os error 5") }), [
    "The kube-dns config map is not used: /etc/kube-dns/stubDomains: cannot be read: os error 5\n" +
    faults[0]!.replace("The kube-dns config map is not used: ", ""),
  ]);
  assert.deepEqual(await change({ [STUBS]: undefined, [UPSTREAMS]: undefined }), []);
  assert.deepEqual(changes.slice(1), [`errors\n${PLAIN}`]);
  assert.equal(files.texts[TARGET], `errors\n${PLAIN}`);
});

Deno.test("BaseCorefile: ignores a config map that is faulty at the start", async () => {
  const { first, faults } = await begin({ [BASE]: TEMPLATE, [UPSTREAMS]: "[" });
  assert.equal(first, PLAIN);
  assert.match(
    faults.join(),
    /^The kube-dns config map is not used: .*upstreamNameservers: it is not/,
  );
});

/** Refuses stub domains that begin with "bad", and templates with "chache". */
const check = (text: string) =>
  Promise.resolve(/^bad|chache/m.test(text) ? `${TARGET}:3: something is wrong` : null);

Deno.test("BaseCorefile: keeps the previous Corefile if the new one is invalid", async () => {
  const { files, changes, change } = await begin({ [BASE]: TEMPLATE }, { check });
  assert.deepEqual(await change({ [BASE]: `chache\n${TEMPLATE}` }), [
    "/etc/Corefile, made of /etc/coredns/Corefile.base, cannot be served: " +
    "/etc/Corefile:3: something is wrong",
  ]);
  assert.deepEqual([changes, files.texts[TARGET]], [[], PLAIN]);
  assert.deepEqual(await change({ [BASE]: TEMPLATE, [STUBS]: '{"bad": ["192.0.2.9"]}' }), [
    "/etc/Corefile, made of /etc/coredns/Corefile.base and, from line 3 on, of " +
    "/etc/kube-dns/stubDomains, cannot be served: /etc/Corefile:3: something is wrong",
  ]);
  assert.deepEqual([changes, files.texts[TARGET]], [[], PLAIN]);
  assert.equal((await change({ [BASE]: `errors\n${TEMPLATE}` })).length, 1);
  assert.deepEqual(changes, [`errors\n${PLAIN}`]);
  assert.deepEqual(await change({ [STUBS]: '{"good": ["192.0.2.9"]}' }), []);
  assert.deepEqual(changes.slice(1), [`errors\n${PLAIN}${stub("good")}`]);
});

Deno.test("BaseCorefile: ignores a config map that makes the first Corefile invalid", async () => {
  const { first, faults } = await begin(
    { [BASE]: TEMPLATE, [STUBS]: '{"bad": ["192.0.2.9"]}' },
    { check },
  );
  assert.equal(first, PLAIN);
  assert.equal(faults.length, 1);
  const spoilt = await begin({ [BASE]: "chache", [STUBS]: "{}" }, { check });
  assert.equal(spoilt.first, null);
  assert.equal(spoilt.faults.length, 1);
  assert.deepEqual(spoilt.files.writes, []);
});

Deno.test("BaseCorefile: reports a variable that cannot be filled, with its position", async () => {
  const { first, faults, changes, change } = await begin({
    [BASE]: "errors\nforward . __PILLAR__CLUSTER__DNS__\n",
  });
  assert.equal(first, null);
  assert.equal(faults.length, 1);
  assert.match(
    faults[0]!,
    /^\/etc\/coredns\/Corefile\.base:2: __PILLAR__CLUSTER__DNS__ cannot be filled: the environment variable KUBE_DNS_UPSTREAM_SERVICE_HOST is not set/,
  );
  assert.deepEqual(await change({ [BASE]: TEMPLATE }), []);
  assert.deepEqual(changes, [PLAIN]);
});

const MISSING: {
  what: string;
  files: Record<string, string | Error>;
  options?: Partial<TemplateOptions>;
  first: string | null;
  fault?: RegExp;
}[] = [
  { what: "template, but there is a Corefile", files: { [TARGET]: "x" }, first: null },
  {
    what: "template and Corefile",
    files: {},
    first: null,
    fault: /^Cannot read the template "\/etc\/coredns\/Corefile\.base": there is no such file$/,
  },
  {
    what: "requested template",
    files: { [TARGET]: "x" },
    options: { baseRequired: true },
    first: null,
    fault: /^Cannot read the template .*: there is no such file$/,
  },
  {
    what: "permission to read the template",
    files: { [TARGET]: "x", [BASE]: new Deno.errors.PermissionDenied("os error 13") },
    first: null,
    fault: /^Cannot read the template .*: permission denied$/,
  },
  { what: "config map", files: { [BASE]: TEMPLATE }, first: PLAIN },
  {
    what: "requested config map",
    files: { [BASE]: TEMPLATE },
    options: { configRequired: true },
    first: PLAIN,
    fault:
      /^The kube-dns config map is not used: Cannot read "\/etc\/kube-dns": there is no such directory \(mount the config map kube-/,
  },
];

Deno.test("BaseCorefile: reports requested files that are missing", async () => {
  for (const { what, files, options, first, fault } of MISSING) {
    const begun = await begin(files, { options: options ?? {} });
    assert.equal(begun.first, first, what);
    assert.equal(begun.faults.length, fault === undefined ? 0 : 1, what);
    if (fault !== undefined) assert.match(begun.faults[0]!, fault);
  }
});

Deno.test("BaseCorefile: reports a template that disappears, and keeps its Corefile", async () => {
  const { base, changes, change } = await begin({ [BASE]: TEMPLATE });
  assert.equal((await change({ [BASE]: undefined })).length, 1);
  assert.deepEqual([changes, base.text], [[], PLAIN]);
});

Deno.test("BaseCorefile: a Corefile that cannot be written is served", async () => {
  const { first, faults, files, changes, change } = await begin({ [BASE]: TEMPLATE }, {
    prepare: (files) => files.writeError = new Deno.errors.PermissionDenied("os error 13"),
  });
  assert.equal(first, PLAIN);
  assert.deepEqual(faults, [
    'Cannot write "/etc/Corefile": permission denied (it is served all the same)',
  ]);
  files.writeError = null;
  assert.deepEqual(await change({ [UPSTREAMS]: '["192.0.2.1"]' }), []);
  assert.deepEqual([changes, files.texts[TARGET]], [[CUSTOM], CUSTOM]);
});

Deno.test("BaseCorefile: continues after a callback that throws", async () => {
  const files = new FakeFiles({ [BASE]: "one" });
  const faults: string[] = [];
  const told: string[] = [];
  const base = new BaseCorefile(OPTIONS, {
    files,
    env: () => undefined,
    check: () => Promise.resolve(null),
    onChange(text) {
      told.push(text);
      if (text === "two") throw new Error("no port left");
    },
    onFault: (message) => void faults.push(message),
    clock: new VirtualClock(),
  });
  await base.start();
  await base.stop();
  for (const text of ["two", "three"]) {
    files.texts[BASE] = text;
    await base.refresh();
  }
  assert.deepEqual(told, ["two", "three"]);
  assert.equal(faults.length, 1);
  assert.match(faults[0]!, /^Cannot apply what was made of .*: Error: no port left$/);
});
