import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import type { HttpReply } from "../../../src/control/endpoints/http/message.ts";
import { profileRoutes } from "../../../src/control/endpoints/profiles.ts";
import type { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { driversHere } from "../../support/run/require.ts";

/** What Chrome DevTools reads. */
interface CpuProfile {
  nodes: { callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}
interface HeapProfile {
  head: { callFrame: { functionName: string }; children: unknown[] };
}

function client(planes: readonly DataPlane[]) {
  const routes = profileRoutes(planes, systemClock);
  return async (target: string): Promise<HttpReply> => {
    const { pathname, searchParams } = new URL(target, "http://localhost/debug/pprof/");
    const route = routes.find(({ path }) => path === pathname)!;
    const request = { method: "GET", path: pathname, headers: new Map(), close: false } as const;
    return await route.handler({ ...request, query: searchParams });
  };
}

const text = ({ body }: HttpReply) => body as string;

for (const driver of driversHere()) {
  Deno.test(`profiles with the ${driver} driver: both threads, CPU and heap`, async () => {
    const corefile = `.:${freePort()} {\n bind 127.0.0.1\n whoami\n}\n`;
    await withDataPlane({ driver, corefile }, async (plane) => {
      const get = client([plane]);
      for (const thread of ["1", "control"]) {
        const cpu = await get(`profile?seconds=0.2&thread=${thread}`);
        assert.equal(cpu.status, 200, text(cpu));
        const { nodes, samples, timeDeltas } = JSON.parse(text(cpu)) as CpuProfile;
        assert.equal(nodes[0]!.callFrame.functionName, "(root)");
        assert.ok(samples.length > 0 && samples.length === timeDeltas.length);
        const heap = await get(`heap?seconds=0.05&thread=${thread}`);
        assert.equal(heap.status, 200, text(heap));
        const { head } = JSON.parse(text(heap)) as HeapProfile;
        assert.equal(head.callFrame.functionName, "(root)");
        assert.match(heap.headers!["content-disposition"]!, /"nodens-\w+\.heapprofile"/);
      }
      // The portable driver runs nothing while it has no queries.
      if (driver !== "linux") return;
      const files = text(await get("profile?seconds=0.5"));
      assert.match(files, /src\/(io|control\/plane)\//, "functions of the data plane are in it");
    });
  });
}

Deno.test("profiles: a web page of another site can record none", () => {
  const open = profileRoutes([], systemClock)
    .filter((route) => !("ownSiteOnly" in route && route.ownSiteOnly));
  assert.deepEqual(open.map(({ path }) => path), ["/debug/pprof/"]);
});

Deno.test("profiles: one at a time, bounded, of threads that exist", async () => {
  const get = client([]);
  const refused: [string, string][] = [
    ["profile?seconds=0", "seconds must be more than 0 and at most 300"],
    ["profile?seconds=301", "seconds must be more than 0 and at most 300"],
    ["heap?seconds=x", "seconds must be more than 0 and at most 300"],
    ["heap?thread=1", 'thread must be "control", or a data plane from 1 to 0'],
    ["heap?thread=-1", 'thread must be "control", or a data plane from 1 to 0'],
  ];
  for (const [target, why] of refused) {
    const reply = await get(target);
    assert.deepEqual([reply.status, text(reply)], [400, `${why}\n`], target);
  }
  const first = get("profile?seconds=0.2&thread=control");
  const second = await get("heap?seconds=0.2&thread=control");
  assert.deepEqual([second.status, text(second)], [
    503,
    "a profile is already being recorded; try again later\n",
  ]);
  assert.equal((await first).status, 200);
  assert.equal((await get("profile?seconds=0.05&thread=control")).status, 200, "and then again");
  assert.match(text(await get("/debug/pprof/")), /\/debug\/pprof\/heap/);
});

Deno.test("profiles: a data plane that does not answer is an answer of its own", async () => {
  const dead = {
    profile: () => Promise.reject(new Error("the data plane has ended")),
  } as unknown as DataPlane;
  const reply = await client([dead])("profile?seconds=1");
  assert.deepEqual([reply.status, text(reply)], [
    503,
    "cannot profile: the data plane has ended\n",
  ]);
});
