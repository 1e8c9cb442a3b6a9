import assert from "node:assert/strict";
import type { RedirectOptions } from "../../src/node/rules/redirect.ts";
import { type NodeRig, OUTSIDE, type RigNode, rigReasons } from "../support/namespaces/node_rig.ts";
import { skipFor } from "../support/run/require.ts";
import {
  type Family,
  inRig,
  LINK_LOCAL,
  NAME,
  OURS,
  signal,
  startStandIn,
  until,
  whoAnswers,
} from "../support/namespaces/rules_rig.ts";

const OWN_V6 = "fd00:53::53";
const FAMILIES: readonly Family[] = ["v4", "v6"];

const REDIRECT: RedirectOptions = {
  to: { 4: LINK_LOCAL, 6: OWN_V6 },
  port: 53,
  only: [],
  except: [],
  exceptUid: null,
  interfaces: [],
  failOpen: true,
};

/** A server that answers one name, and forwards others to the common server. */
function corefile(bind: string, upstreams: string): string {
  return `. {
    ${bind}
    hosts {
        ${OURS.v4} ${NAME}
        fallthrough
    }
    forward . ${upstreams}
}
`;
}

/** From pods and the node, both families, UDP and TCP: the server that answers for the outside. */
async function everywhere(rig: NodeRig, node: RigNode, who: "us" | "another"): Promise<void> {
  await Promise.all(
    [node.pods[0]!.namespace, node.namespace].flatMap((from) =>
      FAMILIES.flatMap((family) =>
        [[], ["+tcp"]].map((words) =>
          until(who, () => whoAnswers(rig, from, OUTSIDE[family], ...words))
        )
      )
    ),
  );
}

const rows: { name: string; to: RedirectOptions["to"]; bind: string; upstreams: string }[] = [
  {
    name: "to addresses of nodens",
    to: REDIRECT.to,
    bind: `bind ${LINK_LOCAL} ${OWN_V6}`,
    upstreams: OUTSIDE.v4,
  },
  {
    name: "to any address of the host",
    to: { 4: null, 6: null },
    bind: "",
    upstreams: `${OUTSIDE.v6} {
        force_tcp
    }`,
  },
];

for (const backend of ["nft", "legacy"] as const) {
  for (const { name, to, bind, upstreams } of rows) {
    Deno.test({
      name: `redirect, ${backend}: host and containers are redirected ${name}, but not nodens`,
      ...skipFor(rigReasons({ backend, ipv6: true, programs: ["dig"] })),
      fn: () =>
        inRig({ backend, ipv6: true }, async (rig, node) => {
          await rig.exec(node.namespace, "ip", [
            ...["addr", "add", `${OWN_V6}/128`, "dev", "nodelocaldns", "nodad"],
          ]);
          await everywhere(rig, node, "another");
          const standIn = await startStandIn(rig, node, {
            rules: {
              addresses: bind === "" ? [] : [LINK_LOCAL, OWN_V6],
              port: 53,
              healthPort: 8080,
              failOpenTo: [],
              tracked: [LINK_LOCAL, OWN_V6],
            },
            redirect: { ...REDIRECT, to },
            corefile: corefile(bind, upstreams),
          });
          await everywhere(rig, node, "us");
          // nodens forwards to the redirected server.
          for (const from of [node.pods[0]!.namespace, node.namespace]) {
            const reply = await rig.dig(from, `@${OUTSIDE.v4}`, "example.org", "SOA");
            assert.ok(reply.data.length > 0, reply.text);
          }
          signal(standIn, "SIGSTOP");
          await everywhere(rig, node, "another");
          signal(standIn, "SIGCONT");
          await everywhere(rig, node, "us");
          await standIn.stop();
          await everywhere(rig, node, "another");
          for (const program of ["iptables", "ip6tables"]) {
            const { stdout } = await rig.exec(node.namespace, `${program}-${backend}-save`);
            assert.doesNotMatch(stdout, /NodeLocal|nodens/);
          }
        }),
    });
  }
}
