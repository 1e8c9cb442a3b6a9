import assert from "node:assert/strict";
import fc from "fast-check";
import { parseKubeDnsConfig } from "../../../src/node/template/kube_dns_config.ts";

const parse = (stubDomains: string | null, upstreamNameservers: string | null = null) =>
  parseKubeDnsConfig({ stubDomains, upstreamNameservers }, "/etc/kube-dns");

const GOOD: { stubs?: string; upstreams?: string; config: unknown }[] = [
  { config: [{}, []] },
  { stubs: "{}", upstreams: "[]", config: [{}, []] },
  { stubs: "null", upstreams: "null", config: [{}, []] },
  { stubs: '{"acme.local": ["192.0.2.1"]}', config: [{ "acme.local": ["192.0.2.1"] }, []] },
  {
    stubs: ' {"w-1.local": ["192.0.2.2:10053", "[2001:db8::2]:53", "2001:db8::3"],\n"a": ["::1"]} ',
    config: [
      { "a": ["::1"], "w-1.local": ["192.0.2.2:10053", "[2001:db8::2]:53", "2001:db8::3"] },
      [],
    ],
  },
  { stubs: '{"b.local": ["ns.example.org"]}', config: [{ "b.local": ["ns.example.org"] }, []] },
  {
    upstreams: '["192.0.2.1", "192.0.2.2:53", "[2001:db8::1]:1053"]',
    config: [{}, ["192.0.2.1", "192.0.2.2:53", "[2001:db8::1]:1053"]],
  },
];

Deno.test("parseKubeDnsConfig: reads a config map", () => {
  for (
    const { stubs = null, upstreams = null, config: [domains, servers] } of GOOD as {
      stubs?: string;
      upstreams?: string;
      config: [Record<string, string[]>, string[]];
    }[]
  ) {
    const { config, faults } = parse(stubs, upstreams);
    assert.deepEqual(faults, []);
    const stubDomains = Object.entries(domains).map(([name, servers]) => ({ name, servers }));
    assert.deepEqual(config, { stubDomains, upstreamNameservers: servers }, stubs ?? "");
  }
});

const NO_ADDRESS = "is not an IP address with an optional port";
const WRITE = "(write 10.0.0.10, 10.0.0.10:1053 or [2001:db8::1]:1053)";
const NO_NAME = "is not a domain name as Kubernetes requires it";

const BAD_STUBS: [string, ...string[]][] = [
  ["", 'it is empty (write {"acme.local": ["10.0.0.10"]}, or remove the key)'],
  [
    "[]",
    'it is not a JSON object of domains and their servers (write {"acme.local": ["10.0.0.10"]})',
  ],
  [
    '"a"',
    'it is not a JSON object of domains and their servers (write {"acme.local": ["10.0.0.10"]})',
  ],
  [
    '{"acme.local": "192.0.2.1"}',
    '"acme.local": it is not a JSON list of addresses in quotes (write {"acme.local": ["10.0.0.10"]})',
  ],
  ['{"a": [53]}', '"a": it is not a JSON list of addresses in quotes (write {"a": ["10.0.0.10"]})'],
  ['{"a": []}', '"a": it has no server (add one, or remove the domain)'],
  [`{"a": ${JSON.stringify(Array(16).fill("::1"))}}`, '"a": 16 servers are too many (at most 15)'],
  ['{"": ["::1"]}', `"" ${NO_NAME} (letters, digits and hyphens, with dots between)`],
  ['{".": ["::1"]}', `"." ${NO_NAME} (letters, digits and hyphens, with dots between)`],
  ['{"a.": ["::1"]}', `"a." ${NO_NAME} (remove the trailing dot)`],
  ['{"Acme.local": ["::1"]}', `"Acme.local" ${NO_NAME} (write it in lower case)`],
  ['{"a_b": ["::1"]}', `"a_b" ${NO_NAME} (letters, digits and hyphens, with dots between)`],
  ['{"a {": ["::1"]}', `"a {" ${NO_NAME} (letters, digits and hyphens, with dots between)`],
  ['{"a": ["192.0.2.300"]}', `"a": "192.0.2.300" ${NO_ADDRESS}, or a host name ${WRITE}`],
  ['{"a": ["$$$"]}', `"a": "$$$" ${NO_ADDRESS}, or a host name ${WRITE}`],
  ['{"a": ["::1\\n}"]}', `"a": "::1\\n}" ${NO_ADDRESS}, or a host name ${WRITE}`],
  ['{"a": ["fe80::1%eth0"]}', `"a": "fe80::1%eth0" ${NO_ADDRESS}, or a host name ${WRITE}`],
  [
    '{"a": ["192.0.2.1:65564"]}',
    `"a": "192.0.2.1:65564" ${NO_ADDRESS}: "65564" is not a valid port (1 to 65535)`,
  ],
  [
    '{"a": ["192.0.2.1:"], "B": ["::1"]}',
    `"a": "192.0.2.1:" ${NO_ADDRESS}: "" is not a valid port (1 to 65535)`,
    `"B" ${NO_NAME} (write it in lower case)`,
  ],
];

const BAD_UPSTREAMS: [string, string][] = [
  ["{}", 'it is not a JSON list of addresses in quotes (write ["10.0.0.10", "10.0.0.11:1053"])'],
  [
    '["192.0.2.1","192.0.2.2","192.0.2.3","192.0.2.4"]',
    "4 servers are too many (at most 3, as for kube-dns)",
  ],
  ['["dns.example.org"]', `"dns.example.org" ${NO_ADDRESS} ${WRITE}`],
  ['["/etc/resolv.conf"]', `"/etc/resolv.conf" ${NO_ADDRESS} ${WRITE}`],
];

Deno.test("parseKubeDnsConfig: reports faults with file, value and remedy", () => {
  for (const [text, ...faults] of BAD_STUBS) {
    const files = faults.map((fault) => `/etc/kube-dns/stubDomains: ${fault}`);
    assert.deepEqual(parse(text, '["192.0.2.1"]'), { config: null, faults: files }, text);
  }
  for (const [text, fault] of BAD_UPSTREAMS) {
    const faults = [`/etc/kube-dns/upstreamNameservers: ${fault}`];
    assert.deepEqual(parse(null, text), { config: null, faults }, text);
  }
  const [both, ...more] = parse("{", "[").faults;
  assert.match(
    both!,
    /^\/etc\/kube-dns\/stubDomains: it is not JSON: .* \(write \{"acme\.local": \["10\.0\.0\.10"\]\}, or remove the key\)$/,
  );
  assert.match(more[0]!, /^\/etc\/kube-dns\/upstreamNameservers: it is not JSON: /);
});

Deno.test("parseKubeDnsConfig: values cannot break the syntax of the Corefile", () => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'a1.:[]%{}"#\n $') }));
  fc.assert(fc.property(texts, texts, (name, server) => {
    const { config } = parse(JSON.stringify({ [name]: [server] }), JSON.stringify([server]));
    if (config === null) return;
    for (const word of [name, ...config.upstreamNameservers]) {
      assert.match(word, /^[a-zA-Z0-9.:_[\]-]+$/);
    }
  }));
  fc.assert(fc.property(fc.json(), fc.json(), (one, other) => {
    const { config, faults } = parse(one, other);
    assert.equal(config === null, faults.length > 0);
  }));
});
