/** nodens in the place of node-cache, with the published arguments and Corefile. */
import assert from "node:assert/strict";
import { until } from "../support/followed.ts";
import { skipFor } from "../support/net_require.ts";
import {
  type Backend,
  KUBE_DNS,
  KUBE_DNS_UPSTREAM,
  NodeRig,
  rigReasons,
} from "../support/node_rig.ts";

const TEMPLATE = Deno.readTextFileSync(
  new URL("../config/node_local_dns.corefile", import.meta.url),
);
const LINK_LOCAL = "169.254.20.10";

/** The arguments of the published DaemonSet; paths that the container has are the test's own. */
function start(rig: NodeRig, more: string[] = []) {
  return rig.startNodensIn(rig.nodes[0]!, {
    files: { "Corefile.base": TEMPLATE },
    args: (directory) => [
      ...["-localip", `${LINK_LOCAL},${KUBE_DNS.v4}`, "-conf", `${directory}/Corefile`],
      ...["-upstreamsvc", "kube-dns-upstream", "-pidfile", `${directory}/node-cache.pid`],
      ...["-basecorefile", `${directory}/Corefile.base`, ...more],
    ],
    env: { KUBE_DNS_UPSTREAM_SERVICE_HOST: KUBE_DNS_UPSTREAM.v4 },
  });
}

/** The rules of all tables, each with its table; empty tables do not matter. */
function rulesOf(saved: string): string[] {
  let table = "";
  return saved.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    return line.startsWith("-A") ? [`${table} ${line}`] : [];
  });
}

for (const backend of ["nft", "legacy"] as Backend[]) {
  Deno.test({
    name:
      `${backend}: pods and host are answered by the node's own cache, and teardown leaves nothing`,
    ...skipFor(rigReasons({ backend, programs: ["dig"] })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend });
      const [node] = rig.nodes;
      const { namespace, pods } = node!;
      const rules = async () => rulesOf((await rig.exec(namespace, "iptables-save")).stdout);
      const links = async () => (await rig.exec(namespace, "ip", ["-br", "address"])).stdout;
      const before = { rules: await rules(), links: await links() };
      const nodens = await start(rig);
      await until(() => /rules for IPv4 put in order/.test(nodens.output), "the rules");
      await until(() => /10\.96\.0\.10 answers, and takes its queries/.test(nodens.output));
      for (const from of [namespace, pods[0]!.namespace, pods[1]!.namespace]) {
        for (const server of [KUBE_DNS.v4, LINK_LOCAL]) {
          for (const transport of ["+notcp", "+tcp"]) {
            for (const name of ["n1.load.cluster.local", "a.example.org"]) {
              const { answer, text } = await rig.dig(from, `@${server}`, transport, name);
              assert.equal(
                answer?.status,
                "NOERROR",
                `${from} ${server} ${transport} ${name}\n${text}`,
              );
            }
          }
        }
      }
      const status = await nodens.stop();
      assert.equal(status.code, 0, nodens.output);
      assert.deepEqual({ rules: await rules(), links: await links() }, before);
    },
  });
}
