import assert from "node:assert/strict";
import {
  askFromGateway,
  askFromNamespace,
  askTargets,
  namesOf,
} from "../../src/doctor/probe/queries.ts";
import type { Question } from "../../src/doctor/probe/options.ts";
import type { Target } from "../../src/doctor/judge/targets.ts";

const NAMES = namesOf({ clusterName: "a.cluster.test", outsideName: "example.org" });
const target = (address: string): Target => ({
  ...{ role: "listener", address, port: 53, transports: ["UDP", "TCP"], names: NAMES },
});

Deno.test("askTargets: repeats answered queries one by one to measure their times", async () => {
  const log: string[] = [];
  let open = 0;
  const ask = async ({ address, transport, name }: Question) => {
    open++;
    log.push(`${open} ${address} ${transport} ${name}`);
    await Promise.resolve();
    open--;
    if (address === "192.0.2.2") return { failure: "timed out" };
    return { rcode: "NOERROR", ms: transport === "TCP" ? 900 : log.length };
  };
  const [first, second] = await askTargets([target("192.0.2.1"), target("192.0.2.2")], {
    ask,
    timeoutMs: 1000,
  });
  assert.deepEqual(log.slice(8), ["1 192.0.2.1 UDP a.cluster.test", "1 192.0.2.1 UDP example.org"]);
  assert.equal(log.length, 10, "slow and silent ones are not asked again");
  assert.deepEqual(first!.map(({ what, transport, answer }) => [what, transport, answer]), [
    ["cluster", "UDP", { rcode: "NOERROR", ms: 9 }],
    ["cluster", "TCP", { rcode: "NOERROR", ms: 900 }],
    ["outside", "UDP", { rcode: "NOERROR", ms: 10 }],
    ["outside", "TCP", { rcode: "NOERROR", ms: 900 }],
  ]);
  assert.ok(second!.every(({ answer }) => "failure" in answer));
});

const LINKS = {
  kinds: { dummy: true, bridge: true },
  link: null,
  uplinks: ["eth0"],
  addresses: [
    { address: "198.51.100.1", link: "eth0", kind: "veth", duplicate: false },
    { address: "169.254.20.10", link: "nodelocaldns", kind: "bridge", duplicate: false },
    { address: "10.244.0.1", link: "veth1", kind: "veth", duplicate: false },
    { address: "10.244.1.1", link: "cni0", kind: "bridge", duplicate: false },
    { address: "fd00::1", link: "cni0", kind: "bridge", duplicate: false },
  ],
};

Deno.test("askFromGateway: queries from an address that faces pods", async () => {
  const asked: Question[] = [];
  const ask = (question: Question) => {
    asked.push(question);
    return Promise.resolve({ failure: "timed out" });
  };
  const options = { links: LINKS, ask, timeoutMs: 1000, own: ["169.254.20.10"] };
  const facts = await askFromGateway(target("10.96.0.10"), options);
  assert.ok(facts.how === "gateway");
  assert.equal(facts.from, "10.244.1.1 (cni0)");
  assert.ok(asked.every(({ source, transport }) => source === "10.244.1.1" && transport === "UDP"));
  const v6 = await askFromGateway(target("fd00::a"), options);
  assert.ok(v6.how === "gateway" && v6.from === "fd00::1 (cni0)");
  const veth = { ...LINKS, addresses: LINKS.addresses.filter(({ link }) => link !== "cni0") };
  const other = await askFromGateway(target("10.96.0.10"), { ...options, links: veth });
  assert.ok(other.how === "gateway" && other.from.endsWith(" (veth1)"));
  const none = { ...LINKS, addresses: LINKS.addresses.slice(0, 2) };
  const nowhere = await askFromGateway(target("10.96.0.10"), { ...options, links: none });
  assert.equal(nowhere.how, "none");
  assert.equal((await askFromGateway(undefined, options)).how, "none");
});

Deno.test("askFromNamespace: removes the namespace after any failure", async () => {
  for (const failing of ["link set", "query", "nothing"]) {
    const calls: string[] = [];
    const facts = await askFromNamespace(target("10.96.0.10"), {
      self: ["nodens"],
      timeoutMs: 1000,
      tree: { list: () => ["7"], read: () => null, readLink: () => null },
      run: (binary, { args }) => {
        calls.push(`${binary} ${args.join(" ")}`);
        if (args.join(" ") === "netns list") {
          const stdout = "nodens-doctor-7 (id: 1)\nnodens-doctor-8\nother-9\n";
          return Promise.resolve({ code: 0, stdout, stderr: "" });
        }
        const fails = args.join(" ").includes(failing);
        const stdout = fails ? "" : ";; status: NOERROR, id: 1\n;; Query time: 3 msec\n";
        return Promise.resolve({ code: fails ? 1 : 0, stdout, stderr: fails ? "no luck\n" : "" });
      },
    });
    const name = `nodens-doctor-${Deno.pid}`;
    assert.deepEqual(calls.slice(0, 3), [
      "ip netns list",
      "ip netns delete nodens-doctor-8",
      `ip netns add ${name}`,
    ]);
    assert.match(calls.at(-2)!, /^ip link delete nodoc\d+$/);
    assert.equal(calls.at(-1), `ip netns delete ${name}`);
    if (failing === "link set") {
      assert.ok(facts.how === "failed");
      assert.match(facts.why, /^cannot make a namespace: ip link set nodoc\d+ up: no luck$/);
      continue;
    }
    assert.ok(facts.how === "namespace");
    const expected = failing === "query" ? { failure: "no answer" } : { rcode: "NOERROR", ms: 3 };
    assert.deepEqual(facts.asked.map(({ answer }) => answer), Array(4).fill(expected));
    assert.ok(
      calls.includes(
        `ip netns exec ${name} nodens query example.org A @10.96.0.10 -p 53 +tries=1 +time=1 +tcp`,
      ),
    );
  }
  const missing = await askFromNamespace(target("10.96.0.10"), {
    self: ["nodens"],
    timeoutMs: 1000,
    tree: null,
    run: () => Promise.resolve(null),
  });
  assert.deepEqual(missing, {
    how: "failed",
    why: "cannot make a namespace: there is no command ip",
  });
});
