/** What commands print is safe on a terminal, whoever listens at the socket or port. */
import assert from "node:assert/strict";
import { withFolder } from "../../support/run/folder.ts";
import { run } from "../serve/scene.ts";

const EVIL = "\x1b]0;x\x07\x9b2J\u202e\r";
const WATCHED = {
  ...{ time: EVIL, client: EVIL, clientName: EVIL, transport: "udp", name: EVIL, type: EVIL },
  ...{ rcode: EVIL, answers: 1, address: EVIL, ttl: 1, source: EVIL, upstream: EVIL },
  ...{ waitedMs: 1, reason: EVIL },
};
const CACHED = {
  ...{ block: EVIL, name: EVIL, class: EVIL, type: EVIL, kind: "answer", rcode: EVIL },
  ...{ stale: false, ttlSeconds: 1, ageSeconds: 1, servedForSeconds: 1, uses: 1 },
  ...{ dnssecOk: false, checkingDisabled: false, upstream: EVIL },
  error: { code: 1, text: EVIL },
  records: [
    { section: "answer", name: EVIL, ttlSeconds: 1, class: EVIL, type: EVIL, data: EVIL },
  ],
};

for (
  const [what, args, status, answer] of [
    ["watch", ["watch"], 200, WATCHED],
    ["watch -json", ["watch", "-json"], 200, WATCHED],
    ["dump", ["dump"], 200, CACHED],
    ["dump -json", ["dump", "-json"], 200, CACHED],
    ["a refusal", ["reload"], 409, { error: EVIL }],
  ] as const
) {
  Deno.test(`no control of a hostile answer reaches the terminal: ${what}`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/control.sock`;
      const server = Deno.serve(
        { transport: "unix", path, onListen: () => {} } as Deno.ServeUnixOptions,
        () => new Response(`${JSON.stringify(answer)}\n`, { status }),
      );
      try {
        const { out, err } = await run([...args, "-control", path]);
        assert.match(out + err, /u001b/);
        assert.doesNotMatch(out + err, /(?![\n\t])\p{C}/u);
      } finally {
        await server.shutdown();
      }
    }));
}

const STATUS = {
  ...{ version: EVIL, pid: 1, driver: EVIL, corefile: EVIL, uptimeSeconds: 1, dataPlanes: [] },
  queries: { udp: 1, tcp: 1, refused: 0, dropped: 0, shed: 0 },
  ...{ panics: 0, log: { droppedLines: 0 }, reload: null, blocks: [] },
  listeners: [{ address: EVIL, port: 1, zones: [EVIL] }],
};

for (
  const [what, args, body] of [
    ["status", ["status"], JSON.stringify(STATUS)],
    ["status -json", ["status", "-json"], JSON.stringify(STATUS)],
    ["healthcheck", ["healthcheck"], EVIL + "x"],
  ] as const
) {
  Deno.test(`no control of a hostile answer reaches the terminal: ${what}`, async () => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(body),
    );
    try {
      const { out, err } = await run([...args, `127.0.0.1:${server.addr.port}`]);
      assert.match(out + err, /u001b/);
      assert.doesNotMatch(out + err, /(?![\n\t])\p{C}/u);
    } finally {
      await server.shutdown();
    }
  });
}
