/** Hits are answered by the kernel, wherever the client is. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { epochOf } from "../support/kernel/expected.ts";
import { setChecksumOffload } from "../support/kernel/offload.ts";
import { SERVED } from "../support/kernel/pod_network.ts";
import { answersOf, pause, type PodRig } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";

const NAMES = ["al0", "ql1", "ml2"].map((label) => `${label}.kernel.example`);
const TYPES = [1, 28, 1];
const IPTABLES = { binaries: ["iptables", "ip6tables"] };

/** Drops queries that reach the node's own programs. */
function dropQueries(rig: PodRig, port = 53): void {
  for (const program of ["iptables", "ip6tables"]) {
    rig.inNode(program, "-A", "INPUT", "-p", "udp", "--dport", String(port), "-j", "DROP");
  }
}

for (
  const [wiring, from] of [["veth", "a pod"], ["bridge", "a pod"], ["veth", "the node"]] as const
) {
  const where = from === "a pod" ? `${from} on a ${wiring}` : from;
  for (const family of ["v4", "v6"] as const) {
    rigTest(
      `${where} is answered over IP${family} though its queries reach no program`,
      async (rig) => {
        const nodens = await rig.nodens();
        const asker = rig.asker(from === "a pod" ? rig.pods[1] : null, SERVED[family][0]);
        await rig.untilInKernel(nodens, asker);
        const queries = NAMES.map((name, i) => query(name, TYPES[i]));
        for (let i = 0; i < 3; i++) for (const one of queries) await asker.ask(one);
        // Published entries are seen within a turn of the data plane's loop.
        await pause(100);
        dropQueries(rig);
        const before = await answersOf(nodens);
        for (const one of queries) {
          assert.equal(epochOf(one, await asker.ask(one), 0), 0, nodens.output);
        }
        assert.equal(await asker.ask(query("al99.kernel.example"), 300), null, "an uncached name");
        assert.equal(await answersOf(nodens) - before, queries.length);
      },
      { wiring, ...IPTABLES },
    );
  }
}

for (const offload of [true, false]) {
  rigTest(
    `checksums are right if the client ${offload ? "leaves" : "computes"} its own`,
    async (rig) => {
      const nodens = await rig.nodens();
      setChecksumOffload(rig.pods[0].namespace, "eth0", offload);
      for (const family of ["v4", "v6"] as const) {
        const asker = rig.asker(rig.pods[0], SERVED[family][0]);
        await rig.untilInKernel(nodens, asker);
        const plain = query(NAMES[0]!);
        const edns = query(NAMES[0]!, 1, { edns: 1232 });
        for (const one of [plain, edns, plain, edns]) await asker.ask(one);
        const before = await answersOf(nodens);
        // All lengths modulo four, since the sum goes by words.
        const queries = [
          plain,
          edns,
          ...["", "a", "bb", "ccc"].map((more) => query(`al0${more}.x`)),
        ];
        for (const one of queries) for (let i = 0; i < 3; i++) await asker.ask(one);
        for (const one of queries) assert.ok(await asker.ask(one) !== null, `IP${family}`);
        assert.ok(await answersOf(nodens) - before >= 2 * queries.length, nodens.output);
      }
    },
  );
}

rigTest("a port other than 53 is served", async (rig) => {
  const nodens = await rig.nodens({ port: 5353 });
  const asker = rig.asker(rig.pods[0], SERVED.v4[0], { port: 5353 });
  await rig.untilInKernel(nodens, asker, NAMES[0]);
  dropQueries(rig, 5353);
  const one = query(NAMES[0]!);
  assert.equal(epochOf(one, await asker.ask(one), 0), 0);
}, IPTABLES);

rigTest("TTLs age, and an expired entry is asked for again", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker);
  const { asked } = rig.upstream;
  const one = query("as7.kernel.example");
  const ttlOf = (answer: Uint8Array) => new DataView(answer.buffer).getUint32(one.length + 6);
  const ttls: number[] = [];
  while (rig.upstream.asked < asked + 2) {
    const answer = await asker.ask(one);
    assert.ok(answer !== null);
    ttls.push(ttlOf(answer));
    await pause(20);
  }
  // The last one is of the second answer. CoreDNS serves no TTL below five seconds.
  const first = ttls.slice(0, -1);
  assert.deepEqual(first, first.toSorted((a, b) => b - a), ttls.join(" "));
  assert.ok(first.at(-1)! <= 1 && ttls.at(-1)! >= first[0]! - 1, ttls.join(" "));
});
