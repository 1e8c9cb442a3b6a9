import assert from "node:assert/strict";
import { BatteryClient } from "../support/battery/client.ts";
import { type Asked, askedBytes, tellOf, type Told } from "../support/battery/message.ts";
import { type Nodens, startNodens } from "../support/processes/nodens.ts";
import { skipUnless } from "../support/run/require.ts";
import { type Named, startNamed } from "../support/servers/named.ts";

const TTL_SECONDS = 1;
const STALE_MS = 2_200;

/** Ways to serve stale answers, by zone. */
const MODES = {
  "immediate.stale.example": "serve_stale 1h",
  "ttl.stale.example": "serve_stale 1h immediate 30s",
  "verify.stale.example": "serve_stale 1h verify 100ms 30s",
  "off.stale.example": "",
} as const;

const ZONE = `$ORIGIN stale.example.
$TTL ${TTL_SECONDS}
@ IN SOA ns hostmaster 1 7200 3600 1209600 ${TTL_SECONDS}
@ IN NS ns
ns IN A 192.0.2.53
${["immediate", "ttl", "verify", "off"].map((zone) => `a.${zone} IN A 192.0.2.1\n`).join("")}`;

const OPT = { edns: { size: 1232 } } as const;

/** A question, and the expected answer while its entry is stale and no upstream answers. */
interface Row {
  title: string;
  ask: Asked;
  /** Asked while the upstream still answers; default true. */
  known?: boolean;
  told: Pick<Told, "rcode" | "bits" | "counts" | "ttls"> & {
    /** Several if RFC 8914 leaves a choice. */
    opt: readonly (string | null)[];
  };
}

const STALE = {
  rcode: "NOERROR",
  bits: "qr aa rd ra",
  counts: "1/0/0",
  ttls: [0],
  opt: ["1232 ede=3", "1232 ede=3 ede=22", "1232 ede=3 ede=23"],
} as const satisfies Record<string, unknown>;
const DENIAL = {
  ...STALE,
  rcode: "NXDOMAIN",
  counts: "0/1/0",
  opt: ["1232 ede=19", "1232 ede=19 ede=22", "1232 ede=19 ede=23"],
};
const FAILURE = {
  rcode: "SERVFAIL",
  counts: "0/0/0",
  ttls: [],
  // The second client gets the failure from the cache.
  opt: ["22", "23", "13", "13 ede=22", "13 ede=23"].map((codes) => `1232 ede=${codes}`),
};

const ROWS: readonly Row[] = [
  {
    title: "a stale answer has TTL 0",
    ask: { name: "a.immediate.stale.example", ...OPT },
    told: { ...STALE, ttls: [0] },
  },
  {
    title: "a stale denial has TTL 0",
    ask: { name: "gone.immediate.stale.example", ...OPT },
    told: { ...DENIAL, ttls: [0] },
  },
  {
    title: "a client without OPT is not told that an answer is stale",
    ask: { name: "a.immediate.stale.example" },
    told: { ...STALE, ttls: [0], opt: [null] },
  },
  {
    title: "a stale answer's TTL is not above the record's, whatever the Corefile says",
    ask: { name: "a.ttl.stale.example", ...OPT },
    told: { ...STALE, ttls: [TTL_SECONDS] },
  },
  {
    title: "a stale answer that could not be verified",
    ask: { name: "a.verify.stale.example", ...OPT },
    told: { ...STALE, ttls: [TTL_SECONDS] },
  },
  {
    title: "a stale denial that could not be verified",
    ask: { name: "gone.verify.stale.example", ...OPT },
    told: { ...DENIAL, ttls: [TTL_SECONDS] },
  },
  {
    title: "a name that was not queried before",
    ask: { name: "never.immediate.stale.example", ...OPT },
    known: false,
    told: { ...FAILURE, bits: "qr rd ra" },
  },
  {
    title: "a stale answer without serve_stale",
    ask: { name: "a.off.stale.example", ...OPT },
    told: { ...FAILURE, bits: "qr rd ra" },
  },
];

Deno.test({
  name: "answers outlive their upstream as serve_stale specifies",
  ...skipUnless("named"),
  fn: compare,
});

async function compare(t: Deno.TestContext): Promise<void> {
  await withServers(async ({ named, nodens }) => {
    await askAll(nodens, (row, transport, told) => {
      if (row.known === false) return;
      assert.equal(told.rcode, row.ask.name.toString().startsWith("a.") ? "NOERROR" : "NXDOMAIN");
      assert.deepEqual(told.ttls, [TTL_SECONDS], `${row.title}: ${transport}`);
    }, { knownOnly: true });
    await named.stop();
    await new Promise((wake) => setTimeout(wake, STALE_MS));
    const checks: { title: string; check: () => void }[] = [];
    await askAll(nodens, (row, transport, { rcode, bits, counts, ttls, opt }) => {
      const { opt: choice, ...expected } = row.told;
      const title = `${row.title}: ${transport}`;
      const ownBits = rcode === "SERVFAIL" ? bits.replace("qr aa rd", "qr rd") : bits;
      checks.push({
        title,
        check() {
          assert.deepEqual({ rcode, bits: ownBits, counts, ttls }, expected);
          assert.ok(choice.includes(opt), `OPT "${opt}" is not one of ${choice.join(", ")}`);
        },
      });
    }, { knownOnly: false });
    for (const { title, check } of checks) await t.step(title, check);
  });
}

async function withServers(
  run: (servers: { named: Named; nodens: Nodens }) => Promise<void>,
): Promise<void> {
  const named = await startNamed({ zones: [{ name: "stale.example", text: ZONE }] });
  let stopped = false;
  const stopOnce = async () => {
    if (stopped) return;
    stopped = true;
    await named.stop();
  };
  try {
    const nodens = await startNodens({
      corefile: (port) =>
        Object.entries(MODES).map(([zone, mode]) =>
          `${zone}:${port} {
  bind 127.0.0.1
  cache {
    success 9984 3600 ${TTL_SECONDS}
    denial 9984 1800 ${TTL_SECONDS}
    ${mode}
  }
  forward . 127.0.0.1:${named.port}
}
`
        ).join(""),
    });
    try {
      await run({ named: { ...named, stop: stopOnce }, nodens });
    } finally {
      await nodens.stop();
    }
  } finally {
    await stopOnce();
  }
}

async function askAll(
  nodens: Nodens,
  look: (row: Row, transport: "udp" | "tcp", told: Told) => void,
  { knownOnly }: { knownOnly: boolean },
): Promise<void> {
  const client = new BatteryClient(nodens.port);
  try {
    for (const [i, row] of ROWS.entries()) {
      if (knownOnly && row.known === false) continue;
      for (const transport of ["udp", "tcp"] as const) {
        const query = askedBytes(row.ask, i);
        look(row, transport, tellOf((await client.ask(transport, query, null))!, query));
      }
    }
  } finally {
    client.close();
  }
}
