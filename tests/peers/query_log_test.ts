import assert from "node:assert/strict";
import { type Nodens } from "../support/processes/nodens.ts";
import { eventually } from "../support/run/eventually.ts";
import { skipUnless } from "../support/run/require.ts";
import { ask } from "../support/servers/ask.ts";
import { withServers } from "./compare.ts";

const SHORT_TTL_SECONDS = 30;
const POLL_MS = 100;

async function askNodens(
  nodens: Nodens,
  name: string,
  options?: { type?: string; transport?: "udp" | "tcp" },
) {
  const { type = "A", transport = "udp" } = options ?? {};
  return await ask("dig", { server: "127.0.0.1", port: nodens.port, name, type, transport });
}

Deno.test({
  name: "the upstream gets one query for many equal ones",
  ...skipUnless("named", "dig"),
  fn: async (t) => {
    const rows = [
      { title: "address", name: "once.wild.example.org", type: "A" },
      { title: "NODATA", name: "once.wild.example.org", type: "AAAA" },
      { title: "NXDOMAIN", name: "once.example.org", type: "A" },
      { title: "CNAME chain", name: "chain1.example.org", type: "A" },
      { title: "unknown type", name: "unknown.example.org", type: "TYPE65280" },
    ];
    await withServers("cache", async ({ named, nodens }) => {
      const askOnce = async (name: string, type: string) => {
        await askNodens(nodens, name, { type });
        assert.equal(named.queries(name, type), 1);
        await askNodens(nodens, name, { type });
        await askNodens(nodens, name.toUpperCase(), { type });
        await askNodens(nodens, name, { type, transport: "tcp" });
        assert.equal(named.queries(name, type), 1);
      };
      for (const { title, name, type } of rows) await t.step(title, () => askOnce(name, type));
      await t.step("SERVFAIL", async () => {
        // At first, a failure is remembered for a second, and a busy machine may take longer.
        let attempts = 0;
        await eventually(() => askOnce(`once${attempts++}.broken.example`, "A"));
      });
    });
  },
});

Deno.test({
  name: "the upstream is asked for a popular name before it expires",
  ...skipUnless("named", "dig"),
  fn: async () => {
    // Three queries within a minute make a name popular. It is refreshed in the last 90 % of its
    // life, about three seconds after the first answer.
    await withServers("cache {\n    prefetch 2 1m 90%\n  }", async ({ named, nodens }) => {
      const name = "popular.short.example.org";
      const startMs = performance.now();
      const ttls: number[] = [];
      while (named.queries(name, "A") < 2) {
        const { answer } = await askNodens(nodens, name);
        ttls.push(answer[0]!.ttlSeconds);
        const lifeMs = performance.now() - startMs;
        assert.ok(lifeMs < SHORT_TTL_SECONDS * 1_000, `not fetched again in its life: ${ttls}`);
        await new Promise((wake) => setTimeout(wake, POLL_MS));
      }
      assert.ok(Math.min(...ttls) > 0, `TTLs ran out: ${ttls}`);
      const { answer } = await askNodens(nodens, name);
      assert.ok(answer[0]!.ttlSeconds > ttls.at(-1)!, `no fresh TTL after ${ttls}`);
      assert.equal(named.queries(name, "A"), 2);
    });
  },
});
