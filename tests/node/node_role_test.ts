/** nodens instead of node-cache, with the published arguments and Corefile. */
import assert from "node:assert/strict";
import {
  engaged,
  hostState,
  LINK_LOCAL,
  metric,
  NO_ERRORS,
  ownRules,
  setupErrors,
  startNodeCache,
  stopped,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { type Backend, KUBE_DNS, rigTest } from "../support/namespaces/node_rig.ts";

const PROGRAMS = ["dig", "curl"];

for (const backend of ["nft", "legacy"] as Backend[]) {
  rigTest(
    `${backend}: with the published arguments, answers pods and host, and removes all its changes`,
    {
      backend,
      needs: PROGRAMS,
    },
    async (rig) => {
      const { namespace, pods } = rig.nodes[0]!;
      const before = await hostState(rig);
      const nodens = await startNodeCache(rig);
      await engaged(nodens);
      for (const from of [namespace, pods[0]!.namespace, pods[1]!.namespace]) {
        for (const server of [KUBE_DNS.v4, LINK_LOCAL]) {
          for (const transport of ["+notcp", "+tcp"]) {
            const at = `${from} ${server} ${transport}`;
            assert.equal(await whoAnswers(rig, from, server, transport), "cache", at);
            for (const name of ["n1.load.cluster.local", "a.example.org"]) {
              const { answer, text } = await rig.dig(from, `@${server}`, transport, name);
              assert.equal(answer?.status, "NOERROR", `${at} ${name}\n${text}${nodens.output}`);
            }
          }
        }
      }
      assert.equal(rig.replicas[0]!.queries("n1.load.cluster.local", "A"), 1, "the cache answers");
      assert.deepEqual(await setupErrors(rig), NO_ERRORS);
      const health = await rig.exec(namespace, "curl", ["-s", `http://${LINK_LOCAL}:8080/health`]);
      assert.equal(health.stdout, "OK");
      assert.ok((await metric(rig, "coredns_panics_total", 9253)) !== null, "the template's port");
      assert.deepEqual(
        ownRules(await hostState(rig)).filter((rule) => !rule.includes(` ${backend} `)),
        [],
      );
      await stopped(rig, nodens, before);
    },
  );

  rigTest(`${backend}: nodens serves IPv4 and IPv6 together, and removes all its changes`, {
    backend,
    ipv6: true,
    needs: PROGRAMS,
  }, async (rig) => {
    const { namespace, pods } = rig.nodes[0]!;
    const before = await hostState(rig);
    const servers = [LINK_LOCAL, KUBE_DNS.v4, "fd00:20::10", KUBE_DNS.v6];
    const nodens = await startNodeCache(rig, { localIps: servers });
    await engaged(nodens, KUBE_DNS.v4);
    await engaged(nodens, KUBE_DNS.v6);
    for (const from of [namespace, pods[0]!.namespace]) {
      for (const server of servers) {
        for (const transport of ["+notcp", "+tcp"]) {
          const at = `${from} ${server} ${transport}`;
          assert.equal(await whoAnswers(rig, from, server, transport), "cache", at);
          const { answer, text } = await rig.dig(from, `@${server}`, transport, "a.example.org");
          assert.equal(answer?.status, "NOERROR", `${at}\n${text}`);
        }
      }
    }
    assert.deepEqual(await setupErrors(rig), NO_ERRORS);
    await stopped(rig, nodens, before);
  });
}

rigTest("without -localip, the host does not change", { needs: ["dig"] }, async (rig) => {
  const node = rig.nodes[0]!;
  const before = await hostState(rig);
  const corefile = `. {\n bind ${node.addresses.v4}\n forward . ${KUBE_DNS.v4}\n}\n`;
  const nodens = await rig.startNodensIn(node, { corefile, args: ["-syncinterval", "1"] });
  const pod = node.pods[0]!.namespace;
  assert.equal(await whoAnswers(rig, pod, node.addresses.v4), "cache");
  assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4), "cluster");
  assert.deepEqual(await hostState(rig), before, "while it serves");
  await stopped(rig, nodens);
  assert.deepEqual(await hostState(rig), before, "afterwards");
});

rigTest("-skipteardown: interface and rules stay, and the next run adopts them", {
  needs: PROGRAMS,
}, async (rig) => {
  const pod = rig.nodes[0]!.pods[0]!.namespace;
  const before = await hostState(rig);
  const first = await startNodeCache(rig, { more: ["-skipteardown"] });
  await engaged(first);
  const during = await hostState(rig);
  assert.ok(ownRules(during).length >= 24, "a dozen rules for each address");
  await stopped(rig, first);
  assert.deepEqual(await hostState(rig), during, "all is there");
  // With fail-open, leftovers match nothing.
  assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4), "cluster");

  const second = await startNodeCache(rig);
  await engaged(second);
  assert.match(second.output, /interface nodelocaldns: adopted the link that was there/);
  assert.doesNotMatch(second.output, /put in order/);
  assert.deepEqual(await hostState(rig), during);
  assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4), "cache");
  await stopped(rig, second, before);
});

rigTest("with only the link-local address, as for IPVS, kube-dns keeps serving the Service", {
  needs: PROGRAMS,
}, async (rig) => {
  const { namespace, pods } = rig.nodes[0]!;
  const before = await hostState(rig);
  const nodens = await startNodeCache(rig, { localIps: [LINK_LOCAL] });
  const rules = async () => ownRules(await hostState(rig));
  while ((await rules()).length === 0) assert.doesNotMatch(nodens.output, /ERROR/);
  for (const from of [namespace, pods[0]!.namespace]) {
    for (const transport of ["+notcp", "+tcp"]) {
      assert.equal(await whoAnswers(rig, from, LINK_LOCAL, transport), "cache");
      assert.equal(await whoAnswers(rig, from, KUBE_DNS.v4, transport), "cluster");
    }
  }
  assert.ok((await rules()).every((rule) => rule.includes(LINK_LOCAL)));
  await stopped(rig, nodens, before);
});
