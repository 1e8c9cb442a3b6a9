import assert from "node:assert/strict";
import { type Nodens, startNodens } from "../support/processes/nodens.ts";
import { type Answer, ask, type Client, type PrintedRecord } from "../support/servers/ask.ts";
import { type Named, startNamed } from "../support/servers/named.ts";
import { haveIpv6 } from "../support/servers/ports.ts";
import { skipFor } from "../support/run/require.ts";
import { QUESTIONS } from "./questions.ts";

const ROUTES = [
  { server: "127.0.0.1", transport: "udp" },
  { server: "127.0.0.1", transport: "tcp" },
  { server: "::1", transport: "udp" },
  { server: "::1", transport: "tcp" },
] as const;

/** Runs a test with named as the upstream of a caching nodens. */
export async function withServers(
  cacheDirective: string,
  run: (servers: { named: Named; nodens: Nodens }) => Promise<void>,
): Promise<void> {
  const named = await startNamed();
  try {
    const addresses = haveIpv6() ? "127.0.0.1 ::1" : "127.0.0.1";
    const nodens = await startNodens({
      corefile: (port) =>
        `.:${port} {
  bind ${addresses}
  errors
  ${cacheDirective}
  forward . 127.0.0.1:${named.port}
}
`,
    });
    try {
      await run({ named, nodens });
    } finally {
      await nodens.stop();
    }
  } finally {
    await named.stop();
  }
}

/** Compares all answers of nodens, by every route, with named's. */
export async function compareAnswers(t: Deno.TestContext, client: Client): Promise<void> {
  await withServers("cache", async ({ named, nodens }) => {
    for (const question of QUESTIONS) {
      const { name, type } = question;
      const expected = await ask(client, { server: "127.0.0.1", port: named.port, name, type });
      await t.step(`${question.title}: named itself`, () => {
        assert.equal(expected.status, question.status, expected.text);
        assert.equal(expected.answer.length, question.answers, expected.text);
      });
      for (const route of ROUTES) {
        const ipv6 = route.server === "::1";
        await t.step({
          name: `${question.title}: ${route.transport} ${ipv6 ? "IPv6" : "IPv4"}`,
          ...skipFor(ipv6 && !haveIpv6() ? ["there is no ::1"] : []),
          fn: async () => {
            const actual = await ask(client, { ...route, port: nodens.port, name, type });
            assertSameAnswer(actual, expected);
          },
        });
      }
    }
  });
}

/** Same status and records in the same sections, with no longer TTLs. */
export function assertSameAnswer(actual: Answer, expected: Answer): void {
  assert.equal(actual.status, expected.status, actual.text);
  assert.equal(actual.question, expected.question, actual.text);
  for (const section of ["answer", "authority", "additional"] as const) {
    assert.deepEqual(
      actual[section].map(comparable),
      expected[section].map(comparable),
      `${section} section:\n${actual.text}\nnamed:\n${expected.text}`,
    );
    for (const [i, { ttlSeconds }] of actual[section].entries()) {
      assert.ok(ttlSeconds <= expected[section][i]!.ttlSeconds, `TTL grew:\n${actual.text}`);
    }
  }
}

/** Owner names are equal whatever their case (RFC 4343); TTLs are checked elsewhere. */
function comparable({ owner, type, data }: PrintedRecord) {
  return { owner: owner.toLowerCase(), type, data };
}
