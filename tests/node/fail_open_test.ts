import assert from "node:assert/strict";
import { KUBE_DNS, rigReasons } from "../support/node_rig.ts";
import { skipFor } from "../support/net_require.ts";
import {
  type Family,
  inRig,
  LINK_LOCAL,
  signal,
  startStandIn,
  until,
  whoAnswers,
} from "../support/rules_rig.ts";

for (const backend of ["nft", "legacy"] as const) {
  const require = skipFor(rigReasons({ backend, ipv6: true, programs: ["dig"] }));
  Deno.test({
    name: `${backend}: pods and host are answered after kill -9 and SIGSTOP, and come back`,
    ...require,
    fn: () =>
      inRig({ backend, ipv6: true }, async (rig, node) => {
        const pod = node.pods[0]!.namespace;
        const places: [string, Family, string[]][] = [
          [pod, "v4", []],
          [pod, "v4", ["+tcp"]],
          [pod, "v6", []],
          [pod, "v6", ["+tcp"]],
          [node.namespace, "v4", []],
          [node.namespace, "v4", ["+tcp"]],
          [node.namespace, "v6", []],
          [node.namespace, "v6", ["+tcp"]],
        ];
        const all = (who: "us" | "another") =>
          Promise.all(places.map(([from, family, words]) =>
            until(who, () => whoAnswers(rig, from, KUBE_DNS[family], ...words))
          ));
        let standIn = await startStandIn(rig, node);
        await all("us");

        signal(standIn, "SIGSTOP");
        await all("another");
        signal(standIn, "SIGCONT");
        await all("us");

        signal(standIn, "SIGKILL");
        // Nobody listens, which the rules for pods see at once.
        assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "another");
        await all("another");
        await standIn.ended;
        const { stdout } = await rig.exec(node.namespace, `iptables-${backend}-save`);
        assert.equal(stdout.match(/skip conntrack/g)?.length, 16, "the rules are all there");

        standIn = await startStandIn(rig, node);
        await all("us");
        await standIn.stop();
        assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "another");
        for (const program of ["iptables", "ip6tables"]) {
          const { stdout } = await rig.exec(node.namespace, `${program}-${backend}-save`);
          assert.doesNotMatch(stdout, /NodeLocal|nodens/);
        }
      }),
  });
}

Deno.test({
  name: "queries to the link-local address go to -failopen-to while nodens does not answer",
  ...skipFor(rigReasons({ programs: ["dig"] })),
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const pod = node.pods[0]!.namespace;
      const failOpenTo = [{ address: rig.replicas[0]!.addresses.v4, port: 53 }];
      const standIn = await startStandIn(rig, node, { failOpenTo });
      const all = (who: "us" | "another") =>
        Promise.all([pod, node.namespace].flatMap((from) =>
          [[], ["+tcp"]].map((words) =>
            until(who, () => whoAnswers(rig, from, LINK_LOCAL, ...words))
          )
        ));
      await all("us");
      signal(standIn, "SIGSTOP");
      await all("another");
      signal(standIn, "SIGCONT");
      await all("us");
      signal(standIn, "SIGKILL");
      await all("another");
      await standIn.ended;
    }),
});

Deno.test({
  name: "with -skipteardown the rules stay, and traffic turns away at once all the same",
  ...skipFor(rigReasons({ programs: ["dig"] })),
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const standIn = await startStandIn(rig, node, { skipTeardown: true });
      assert.equal(await whoAnswers(rig, node.namespace, KUBE_DNS.v4, "+time=5"), "us");
      await standIn.stop();
      assert.equal(await whoAnswers(rig, node.namespace, KUBE_DNS.v4, "+time=5"), "another");
      const { stdout } = await rig.exec(node.namespace, "iptables-save");
      assert.equal(stdout.match(/--name nodens /g)?.length, 4);
    }),
});

Deno.test({
  name: "rules that are flushed underfoot are mended, and queries are answered meanwhile",
  ...skipFor(rigReasons({ programs: ["dig"] })),
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const pod = node.pods[0]!.namespace;
      const standIn = await startStandIn(rig, node);
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "us");
      await rig.exec(node.namespace, "iptables", ["-w", "5", "-t", "raw", "-F"]);
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "another");
      // Nobody calls for it: the heartbeat has found its list gone.
      await until("us", () => whoAnswers(rig, pod, KUBE_DNS.v4));
      await standIn.stop();
    }),
});

Deno.test({
  name: "a data plane that hangs is passed by, although the control plane lives",
  ...skipFor(rigReasons({ programs: ["dig"] })),
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const pod = node.pods[0]!.namespace;
      const standIn = await startStandIn(rig, node);
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "us");
      signal(standIn, "SIGUSR1");
      await until("another", () => whoAnswers(rig, pod, KUBE_DNS.v4));
      // Its own watch ends it later, and the rules are still there.
      await standIn.ended;
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "another");
    }),
});

Deno.test({
  name: "without fail-open, as with node-cache, nobody answers while nodens does not",
  ...skipFor(rigReasons({ programs: ["dig"] })),
  fn: () =>
    inRig({ backend: "nft" }, async (rig, node) => {
      const pod = node.pods[0]!.namespace;
      const standIn = await startStandIn(rig, node, { failOpen: false });
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4, "+time=5"), "us");
      signal(standIn, "SIGKILL");
      await standIn.ended;
      assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4), "nobody");
    }),
});
