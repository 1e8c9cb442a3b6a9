import assert from "node:assert/strict";
import { makeAuthority } from "../support/servers/certificates.ts";
import { askUdp } from "../support/processes/drivers.ts";
import { until } from "../support/run/until.ts";
import { decode, queryBytes } from "../support/messages/messages.ts";
import { type Nodens, startNodens } from "../support/processes/nodens.ts";
import { skipUnless } from "../support/run/require.ts";
import { ask } from "../support/servers/ask.ts";
import { startNamed } from "../support/servers/named.ts";
import { freePort } from "../support/servers/ports.ts";
import { startTcp } from "../support/servers/tls_servers.ts";

/** Parent of the blocks' zones; named answers everything in it by a wildcard. */
const PARENT = "wild.example.org";
const NAME = "dns.example.org";

interface Row {
  zone: string;
  to: string;
  options: string;
  /** Log line if the upstream must be rejected. */
  refused?: RegExp;
}

async function status(nodens: Nodens, zone: string, host = "a"): Promise<string> {
  const name = `${host}.${zone}.${PARENT}`;
  return (await ask("dig", { server: "127.0.0.1", port: nodens.port, name, type: "A" })).status;
}

/**
 * Asks for all names at once. dig's sockets have SO_REUSEPORT, so two may get the same port and
 * each other's answers.
 */
function statusOfAll(nodens: Nodens, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map(async (name, id) => {
    const query = queryBytes({ name, id, edns: 1232 });
    return decode(await askUdp(query, { port: nodens.port, limitMs: 8000 })).rcode;
  }));
}

Deno.test({
  name: "named is asked over TLS and HTTPS, and rejected if its certificate does not match",
  ...skipUnless("named", "dig", "openssl"),
  async fn(t) {
    const authority = makeAuthority();
    const stranger = makeAuthority("somebody else");
    const { caFile } = authority;
    const right = authority.issue(`DNS:${NAME}`);
    const kinds = {
      right,
      byAddress: authority.issue("IP:127.0.0.1"),
      wrong: authority.issue("DNS:other.example.org"),
      expired: authority.issue(`DNS:${NAME}`, {
        from: "20200101000000Z",
        until: "20200201000000Z",
      }),
    };
    const client = authority.issue("DNS:client.example.org");
    const unwanted = stranger.issue("DNS:client.example.org");
    const ports: Record<string, number> = {};
    let listeners = "";
    let tls = "";
    const listen = async (name: string, kind: { certFile: string; keyFile: string }, more = "") => {
      ports[name] = await freePort();
      const ca = more === "mutual" ? `ca-file "${caFile}"; ` : "";
      const http = more === "http" ? "http default " : "";
      tls += `tls ${name} { cert-file "${kind.certFile}"; key-file "${kind.keyFile}"; ${ca}};\n`;
      listeners += `listen-on port ${ports[name]} tls ${name} ${http}{ 127.0.0.1; };\n`;
    };
    for (const [name, kind] of Object.entries(kinds)) await listen(name, kind);
    await listen("mutual", right, "mutual");
    await listen("web", right, "http");
    const silent = await startTcp(() => {});

    const named = (options: string) => `tls ${options}\n    tls_servername ${NAME}`;
    const rows: Row[] = [
      { zone: "dot", to: `tls://127.0.0.1:${ports["right"]}`, options: named(caFile) },
      { zone: "address", to: `tls://127.0.0.1:${ports["byAddress"]}`, options: `tls ${caFile}` },
      {
        zone: "get",
        to: `https://127.0.0.1:${ports["web"]}`,
        options: `${named(caFile)}\n    doh_method GET`,
      },
      {
        zone: "post",
        to: `https://127.0.0.1:${ports["web"]}`,
        options: `${named(caFile)}\n    doh_method POST`,
      },
      {
        zone: "mutual",
        to: `tls://127.0.0.1:${ports["mutual"]}`,
        options: named(`${client.certFile} ${client.keyFile} ${caFile}`),
      },
      {
        zone: "nocert",
        to: `tls://127.0.0.1:${ports["mutual"]}`,
        options: named(caFile),
        refused: /the upstream wants a client certificate|it may want a client certificate/,
      },
      {
        zone: "badcert",
        to: `tls://127.0.0.1:${ports["mutual"]}`,
        options: named(`${unwanted.certFile} ${unwanted.keyFile} ${caFile}`),
        refused: /(not know the authority of|refuses|not accept) the client certificate/,
      },
      {
        zone: "wrong",
        to: `tls://127.0.0.1:${ports["wrong"]}`,
        options: named(caFile),
        refused: /certificate is for other\.example\.org, not dns\.example\.org/,
      },
      {
        zone: "expired",
        to: `tls://127.0.0.1:${ports["expired"]}`,
        options: named(caFile),
        refused: /certificate has expired \(on 2020-02-01\)/,
      },
      {
        zone: "unknown",
        to: `tls://127.0.0.1:${ports["right"]}`,
        options: named(stranger.caFile),
        refused: /certificate is signed by an unknown authority/,
      },
      {
        zone: "webwrong",
        to: `https://127.0.0.1:${ports["web"]}`,
        options: `tls ${caFile}\n    tls_servername other.example.org`,
        refused: /certificate is for dns\.example\.org, not other\.example\.org/,
      },
      {
        zone: "silent",
        to: `tls://127.0.0.1:${silent.port}`,
        options: `${named(caFile)}\n    read_timeout 3s\n    max_connect_attempts 1`,
        refused: /TLS handshake timed out/,
      },
    ];
    const corefile = (port: number) =>
      rows.map(({ zone, to, options }) =>
        `${zone}.${PARENT}:${port} {
  bind 127.0.0.1
  errors
  forward . ${to} {
    ${options}
    max_fails 0
  }
}
`
      ).join("");
    const server = await startNamed({
      global: tls,
      statements: `recursion yes; dnssec-validation no;\n${listeners}`,
    });
    const nodens = await startNodens({ corefile });
    try {
      await t.step("a handshake that hangs does not delay other queries", async () => {
        let hanging = true;
        const slow = status(nodens, "silent").finally(() => hanging = false);
        assert.equal(await status(nodens, "dot"), "NOERROR");
        assert.equal(await status(nodens, "post"), "NOERROR");
        assert.ok(hanging);
        assert.equal(await slow, "SERVFAIL");
      });
      for (const { zone, to, refused } of rows) {
        await t.step(`${zone}: ${to}`, async () => {
          const wanted = refused === undefined ? "NOERROR" : "SERVFAIL";
          const hosts = Array.from({ length: refused === undefined ? 100 : 1 }, (_, i) => `n${i}`);
          const got = hosts.length === 1
            ? [await status(nodens, zone, hosts[0])]
            : await statusOfAll(nodens, hosts.map((host) => `${host}.${zone}.${PARENT}`));
          assert.deepEqual(new Set(got), new Set([wanted]), nodens.output);
          const lines = () =>
            nodens.output.split("\n").filter((line) => line.includes(`.${zone}.`));
          if (refused !== undefined) await until(() => refused.test(lines().join("\n")), zone);
          else assert.deepEqual(lines(), []);
        });
      }
      await t.step("the log contains no key and no recovered failure", () => {
        assert.doesNotMatch(nodens.output, /PRIVATE KEY|Recovered|Uncaught/);
      });
    } finally {
      await nodens.stop();
      await server.stop();
      await silent.close();
      authority.remove();
      stranger.remove();
    }
  },
});
