import assert from "node:assert/strict";
import { askTcp, startUpstream } from "../support/processes/drivers.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { startNodens } from "../support/processes/nodens.ts";
import { skipUnless } from "../support/run/require.ts";
import { freePort } from "../support/servers/ports.ts";
import { type Answer, ask, type AskOptions } from "../support/servers/ask.ts";
import { frame } from "../support/simulation/simulation.ts";
import { folderWith } from "../support/processes/serving.ts";

type Ask = (options: Partial<AskOptions> & { name: string }) => Promise<Answer>;

/** A name server with an authority section, and 1,500 octets of text. */
function answer(bytes: Uint8Array, transport: "udp" | "tcp"): Uint8Array {
  const query = decode(bytes);
  const { name, type } = query.questions![0]!;
  const server = { type: "NS" as const, name: "example.org", ttl: 20, data: "ns.example.org" };
  if (type === "TXT") {
    const data = Array.from({ length: 6 }, () => "x".repeat(240));
    if (transport === "udp") return responseBytes(query, { truncated: true });
    return responseBytes(query, { answers: [{ type: "TXT", name, ttl: 60, data }] });
  }
  return responseBytes(query, { answers: [a(name, "192.0.2.1")], authorities: [server] });
}

async function withNodens(
  directives: string,
  use: (ask: Ask, port: number) => Promise<void>,
  client: "dig" | "kdig" = "dig",
): Promise<void> {
  const upstreamPort = freePort();
  const upstream = startUpstream(upstreamPort, answer);
  const nodens = await startNodens({
    corefile: (port) =>
      `.:${port} {\nbind 127.0.0.1\n${directives}\nforward . 127.0.0.1:${upstreamPort}\n}\n`,
  });
  try {
    const { port } = nodens;
    await use((options) => ask(client, { server: "127.0.0.1", port, type: "A", ...options }), port);
  } finally {
    await nodens.stop();
    await upstream.close();
  }
}

Deno.test({
  name: "dig: acl allows, blocks, filters and drops by client address",
  ...skipUnless("dig"),
  fn: () =>
    withNodens(
      "cache\nacl {\n allow net 127.0.0.1\n block net 127.0.0.2\n filter net 127.0.0.3\n" +
        " drop net 127.0.0.4/30\n}",
      async (ask) => {
        const from = (address: string) =>
          ask({ name: "www.example.org", args: ["-b", address, "+time=1"] });
        const allowed = await from("127.0.0.1");
        assert.equal(allowed.status, "NOERROR");
        assert.equal(allowed.answer.length, 1, allowed.text);
        const blocked = await from("127.0.0.2");
        assert.equal(blocked.status, "REFUSED");
        assert.match(blocked.text, /EDE: 15 \(Blocked\)/);
        const filtered = await from("127.0.0.3");
        assert.equal(filtered.status, "NOERROR");
        assert.equal(filtered.answer.length, 0, filtered.text);
        assert.match(filtered.text, /EDE: 17 \(Filtered\)/);
        await assert.rejects(from("127.0.0.5"), /timed out|no servers could be reached/);
      },
    ),
});

for (const client of ["dig", "kdig"] as const) {
  Deno.test({
    name: `${client} ANY: HINFO`,
    ...skipUnless(client),
    fn: () =>
      withNodens("any", async (ask) => {
        const { status, answer } = await ask({ name: "example.org", type: "ANY" });
        assert.equal(status, "NOERROR");
        assert.deepEqual(answer, [{
          owner: "example.org.",
          ttlSeconds: 8482,
          type: "HINFO",
          data: '"ANY obsoleted" "See RFC 8482"',
        }]);
      }, client),
  });

  Deno.test({
    name: `${client} +nsid: the host's name, only if asked for`,
    ...skipUnless(client),
    fn: () =>
      withNodens("nsid\ncache", async (ask) => {
        const hex = [...new TextEncoder().encode(Deno.hostname())]
          .map((octet) => octet.toString(16).padStart(2, "0")).join("");
        for (let i = 0; i < 2; i++) {
          const told = await ask({ name: "www.example.org", args: ["+nsid"] });
          const printed = /NSID: ([0-9a-fA-F ]+)/.exec(told.text)?.[1] ?? "";
          assert.equal(printed.replaceAll(" ", "").toLowerCase(), hex, told.text);
          const silent = await ask({
            name: "www.example.org",
            args: [client === "dig" ? "+edns=0" : "+edns"],
          });
          assert.doesNotMatch(silent.text, /NSID/);
        }
      }, client),
  });
}

Deno.test({
  name: "dig: minimal removes the authority section",
  ...skipUnless("dig"),
  fn: async () => {
    for (const [directive, authority] of [["minimal", 0], ["", 1]] as const) {
      await withNodens(`cache\n${directive}`, async (ask) => {
        for (let i = 0; i < 2; i++) {
          const answer = await ask({ name: "www.example.org" });
          assert.equal(answer.answer.length, 1);
          assert.equal(answer.authority.length, authority, answer.text);
        }
      });
    }
  },
});

Deno.test({
  name: "dig +bufsize=4096: bufsize truncates large answers over UDP, not over TCP",
  ...skipUnless("dig"),
  fn: async () => {
    for (
      const [directive, truncated, size] of [
        ["bufsize 1100", true, 1100],
        ["", true, 1232],
        ["bufsize 4096", false, 1232],
      ]
    ) {
      await withNodens(`cache\n${directive}`, async (ask) => {
        const args = ["+bufsize=4096", "+ignore"];
        const answer = await ask({ name: "large.example.org", type: "TXT", args });
        assert.equal(/flags: [a-z ]*\btc\b/.test(answer.text), truncated, answer.text);
        assert.match(answer.text, new RegExp(`udp: ${size}$`, "m"));
        const whole = await ask({ name: "large.example.org", type: "TXT", transport: "tcp" });
        assert.equal(whole.answer.length, 1);
      });
    }
  },
});

Deno.test({
  name: "dig: hosts reads its file from the folder of root",
  ...skipUnless("dig"),
  fn: async () => {
    const folder = folderWith({ names: "192.0.2.77 here.example.org\n" });
    await withNodens(`hosts names {\n fallthrough\n}\nroot ${folder}`, async (ask) => {
      const { answer } = await ask({ name: "here.example.org" });
      assert.deepEqual(answer.map(({ data }) => data), ["192.0.2.77"]);
    });
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("a TCP connection is closed after its last query, and when idle", () =>
  withNodens("timeouts {\n maxtcpqueries 3\n idle 1s\n read 24h\n}", async (_ask, port) => {
    const names = ["a", "b", "c", "d", "e"];
    const queries = names.map((name, id) => frame(queryBytes({ name: `${name}.example.org`, id })));
    const all = Uint8Array.from(queries.flatMap((one) => [...one]));
    const answers = await askTcp([all], { port });
    assert.deepEqual(answers.map((bytes) => decode(bytes).id).sort(), [0, 1, 2]);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(queries[0]!);
    const buffer = new Uint8Array(512);
    assert.ok((await connection.read(buffer))! > 0);
    // nodens closes it; without `idle`, this would take a day.
    assert.equal(await connection.read(buffer), null);
    connection.close();
  }));

Deno.test({
  name: "kdig +keepopen: maxtcpqueries limits the queries of a connection",
  ...skipUnless("kdig"),
  fn: () =>
    withNodens("timeouts {\n maxtcpqueries 3\n}", async (_ask, port) => {
      const names = ["a.example.org", "b.example.org", "c.example.org"];
      const { stdout } = await new Deno.Command("kdig", {
        args: ["@127.0.0.1", "-p", String(port), "+tcp", "+keepopen", "+short", ...names],
      }).output();
      assert.equal(new TextDecoder().decode(stdout).match(/192\.0\.2\.1/g)?.length, 3);
    }, "kdig"),
});
