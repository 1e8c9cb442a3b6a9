import assert from "node:assert/strict";
import { skipUnlessCluster, startCluster } from "../support/servers/cluster_server.ts";
import { Crowd } from "../support/servers/crowd.ts";
import { startNodens } from "../support/processes/nodens.ts";

/** A headless Service: sixty octets on the wire. */
const SERVICE = "n20.my-headless-service.my-namespace.svc.cluster.local";
const SRV = "n4.my-headless-service.my-namespace.svc.cluster.local";

const ROWS = [
  { client: "without EDNS", name: SERVICE, type: "A", records: 20, most: 512, query: {} },
  { client: "EDNS 1232", name: SERVICE, type: "A", records: 20, most: 1232, query: { edns: 1232 } },
  { client: "EDNS 1232", name: SRV, type: "SRV", records: 4, most: 1232, query: { edns: 1232 } },
  { client: "without EDNS", name: SRV, type: "SRV", records: 4, most: 512, query: {} },
] as const;

Deno.test({
  name: "a headless Service over force_tcp is complete, fresh and cached",
  ...skipUnlessCluster(),
  async fn(t) {
    const cluster = await startCluster();
    const nodens = await startNodens({
      corefile: (port) =>
        `cluster.local:${port} {
  bind 127.0.0.1
  cache 30
  forward . 127.0.0.1:${cluster.port} {
    force_tcp
  }
}
`,
    });
    try {
      for (const { client, name, type, records, most, query } of ROWS) {
        for (const time of ["first", "second"]) {
          await t.step(`${type} ${name}, ${client}, the ${time} time`, async () => {
            const crowd = new Crowd(nodens.port);
            const one = crowd.ask(name, { type, ...query });
            await crowd.finish();
            assert.equal(one.message!.flag_tc, false);
            assert.equal(one.message!.answers!.length, records);
            assert.ok(one.size <= most, `${one.size} octets`);
          });
        }
      }
    } finally {
      await nodens.stop();
      await cluster.stop();
    }
  },
});
