import assert from "node:assert/strict";
import { PodListReader } from "../../../src/control/clients/pod_list.ts";
import { pod, podList } from "../../support/doubles/pods.ts";

function read(text: string, pieceBytes = Infinity): string[] {
  const reader = new PodListReader();
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.push(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)));
  }
  return reader.end().map(({ address, name }) => `${address} ${name}`);
}

const CASES: { name: string; text: string; expected: string[] }[] = [
  {
    name: "every address of a pod once, and other pods",
    text: podList([
      pod("shop", "cart-0", { podIP: "10.1.0.7", podIPs: [{ ip: "10.1.0.7" }, { ip: "fd00::7" }] }),
      pod("kube-system", "coredns-1", { podIP: "10.1.0.8" }),
    ]),
    expected: ["10.1.0.7 shop/cart-0", "fd00::7 shop/cart-0", "10.1.0.8 kube-system/coredns-1"],
  },
  {
    name: "no pod in the host's network, that has ended, or without an address",
    text: podList([
      pod("a", "host", { podIP: "192.0.2.1" }, { hostNetwork: true }),
      pod("a", "own", { podIP: "10.1.0.1" }, { hostNetwork: false }),
      pod("a", "done", { podIP: "10.1.0.2", phase: "Succeeded" }),
      pod("a", "dead", { podIP: "10.1.0.3", phase: "Failed" }),
      pod("a", "pending", { phase: "Pending" }),
    ]),
    expected: ["10.1.0.1 a/own"],
  },
  {
    name: "names in other places do not count, whatever the order of keys",
    text: JSON.stringify({
      items: [{
        status: { containerStatuses: [{ name: "x", podIP: "1.1.1.1" }], podIP: "10.1.0.1" },
        spec: { containers: [{ name: "y", hostNetwork: true }], metadata: { name: "z" } },
        metadata: {
          annotations: { name: "q", namespace: "q", "podIP": "9.9.9.9" },
          ownerReferences: [{ name: "w" }],
          name: "right",
          namespace: "a",
        },
      }],
      metadata: { name: "list", namespace: "list" },
      kind: "PodList",
    }),
    expected: ["10.1.0.1 a/right"],
  },
  {
    name: "texts with escapes, and brackets in texts",
    text: podList([
      {
        ...pod("a", "b", { podIP: "10.1.0.1" }),
        note: '"}],"items":[{"metadata":{"name":"evil","namespace":"a"}}] \\',
      },
    ]).replace('"b"', '"\\u0062"'),
    expected: ["10.1.0.1 a/b"],
  },
  {
    name: "texts that are too long are left out",
    text: podList([pod("a", "b".repeat(600), { podIP: "10.1.0.1" })]),
    expected: [],
  },
  { name: "a node without pods", text: '{"kind":"PodList","items":null}', expected: [] },
  { name: "an empty list", text: '{"items": [ ] }', expected: [] },
];

for (const { name, text, expected } of CASES) {
  Deno.test(`pod list: ${name}`, () => {
    for (const pieceBytes of [Infinity, 7, 1]) assert.deepEqual(read(text, pieceBytes), expected);
    // With white space, as kubectl prints it.
    assert.deepEqual(read(JSON.stringify(JSON.parse(text), null, 2), 64), expected);
  });
}

Deno.test("pod list: what is not a whole list is refused", () => {
  const whole = podList([pod("a", "b", { podIP: "10.1.0.1" })]);
  const rows: [string, RegExp][] = [
    ["", /not a list of pods/],
    ["Forbidden", /not a list of pods/],
    ['{"kind":"Status","message":"items"}', /not a list of pods/],
    ["[1,2]", /not a list of pods/],
    [whole.slice(0, -1), /cut short/],
    [whole.slice(0, whole.indexOf("10.1")), /cut short/],
    ['{"items":[}', /brackets do not match/],
    [`{"items":${"[".repeat(100)}`, /nested too deeply/],
    ['{"items":[{"metadata":{"name":"\\x"}}]}', /cannot be read/],
  ];
  for (const [text, message] of rows) assert.throws(() => read(text), message, text);
});

Deno.test("pod list: every beginning of a list is refused, and none hangs", () => {
  const whole = podList([pod("a", "b", { podIP: "10.1.0.1", podIPs: [{ ip: "10.1.0.1" }] })]);
  for (let end = 0; end < whole.length; end++) {
    assert.throws(() => read(whole.slice(0, end)), SyntaxError);
  }
});
