import { type Named, startNamed } from "../servers/named.ts";
import { type Nodens, startNodens } from "../processes/nodens.ts";
import { freePort } from "../servers/ports.ts";

/** All servers of the battery, on loopback. */
export interface BatteryServers {
  /** Authoritative for the battery's zones and recursive (RA). */
  readonly named: Named;
  /** Validates answers of `named`; the only server that sets AD. */
  readonly validator: Named;
  /** Not recursive: returns referrals for a delegated zone. */
  readonly referring: Named;
  /** Queried over UDP first. */
  readonly first: Nodens;
  /** Queried over TCP first. */
  readonly second: Nodens;
}

/** Addresses below `*.many.battery.example`: too many for a datagram of 1232 octets. */
export const MANY = 100;
/** TTL of most records. */
export const TTL_SECONDS = 300;
/** TTL of denials (SOA). */
export const DENIAL_TTL_SECONDS = 120;

/**
 * Options of `forward` by zone label below `option.battery.example`. Clients must not see a
 * difference.
 */
export const OPTIONS: Readonly<Record<string, string>> = {
  "x20": "x20",
  "tcp": "force_tcp",
  "udp": "prefer_udp",
  "hedge": "hedge 100ms",
  "fastest": "policy fastest",
  "ecs": "ecs pass",
};

const SOA = `@ IN SOA ns hostmaster 1 7200 3600 1209600 ${DENIAL_TTL_SECONDS}
@ IN NS ns
ns IN A 192.0.2.53
`;

const BATTERY_ZONE = `$ORIGIN battery.example.
$TTL ${TTL_SECONDS}
${SOA}
*.w          IN A     192.0.2.1
             IN AAAA  2001:db8::1
             IN TXT   "wildcard"
             IN MX    10 mail
             IN SRV   0 10 53 mail
             IN CAA   0 issue "ca.example.net"
             IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .
             IN PTR   mail
             IN HINFO "any" "any"
             IN RP    mail mail
             IN SSHFP 1 1 0123456789abcdef0123456789abcdef01234567
             IN TLSA  3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
             IN HTTPS 1 . alpn="h2" ipv4hint=192.0.2.1
             IN SVCB  1 . port=53
             IN TYPE65280 \\# 4 0A000001
mail         IN A     192.0.2.25
; chains: the second link of *.chain has the lowest TTL of all
*.chain      IN CNAME link
link    100  IN CNAME end
end          IN A     192.0.2.2
*.nodata     IN CNAME end
*.gone       IN CNAME nothing
*.abroad     IN CNAME www.example.net.
*.loop       IN CNAME a.loop
old          IN DNAME new
*.new        IN A     192.0.2.3
; TTLs beyond the limits of the cache
*.long 86400 IN A     192.0.2.4
*.zero 0     IN A     192.0.2.5
any          IN A     192.0.2.6
             IN TXT   "any"
any2         IN A     192.0.2.6
             IN TXT   "any"
${Array.from({ length: MANY }, (_, i) => `*.many IN A 198.51.100.${i + 1}\n`).join("")}
*.t600       IN TXT   ${text(600)}
*.t1300      IN TXT   ${text(1300)}
*.t5000      IN TXT   ${text(5000)}
*.option     IN A     192.0.2.10
             IN TXT   ${text(1300)}
; the child's name server is nobody's: it is only asked with the recursion desired bit off
child        IN NS    ns.child
ns.child     IN A     192.0.2.54
`;

const SIGNED_ZONE = `$TTL ${TTL_SECONDS}
${SOA}
a            IN A     192.0.2.7
*.w          IN A     192.0.2.8
; for those who ask the validator, whose wildcards live as long as their proofs
${
  ["nobody", "ad", "once", "later", "bad", "cd", "both", "back"].map((name) =>
    `${name} IN A 192.0.2.9\n`
  ).join("")
}child        IN NS    ns.child
             IN DS    12345 13 2 ${"01".repeat(32)}
ns.child     IN A     192.0.2.54
`;

const REFERRING_ZONE = `$ORIGIN referring.example.
$TTL ${TTL_SECONDS}
${SOA}
child        IN NS    ns.child
             IN NS    ns
ns.child     IN A     192.0.2.54
`;

const REFUSED_ZONE = `$ORIGIN refused.example.
$TTL ${TTL_SECONDS}
${SOA}`;

const UNCACHED_ZONE = `$ORIGIN uncached.example.
$TTL ${TTL_SECONDS}
${SOA}
chain        IN CNAME link
link    100  IN CNAME end
end          IN A     192.0.2.2
`;

/** Starts all servers; `close` stops them in any state. */
export async function startBattery(): Promise<BatteryServers & { close(): Promise<void> }> {
  const running: { stop(): Promise<unknown> }[] = [];
  async function close(): Promise<void> {
    for (const server of running.toReversed()) await server.stop();
  }
  function keep<T extends { stop(): Promise<unknown> }>(server: T): T {
    running.push(server);
    return server;
  }
  try {
    const signed = signZone("signed.example", SIGNED_ZONE);
    const trusted = signZone("trusted.example", SIGNED_ZONE);
    const bogus = signZone("bogus.example", SIGNED_ZONE);
    const named = keep(
      await startNamed({
        statements: `recursion yes; dnssec-validation no; server-id "battery";`,
        zones: [
          { name: "battery.example", text: BATTERY_ZONE },
          { name: "uncached.example", text: UNCACHED_ZONE },
          { name: "refused.example", text: REFUSED_ZONE, statements: "allow-query { none; };" },
          { name: "signed.example", text: signed.text },
          { name: "trusted.example", text: trusted.text },
          { name: "bogus.example", text: bogus.text },
        ],
      }),
    );
    const validator = keep(
      await startNamed({
        standardZones: false,
        statements: `recursion yes; dnssec-validation yes; forward only;
  forwarders { 127.0.0.1 port ${named.port}; };`,
        // A wrong key for bogus.example, so that its answers are bogus.
        global: `trust-anchors {
  trusted.example. static-key ${trusted.key};
  bogus.example. static-key ${trusted.key};
};`,
      }),
    );
    const referring = keep(
      await startNamed({
        standardZones: false,
        zones: [{ name: "referring.example", text: REFERRING_ZONE }],
        statements: "recursion no; dnssec-validation no;",
      }),
    );
    const deadPort = await freePort();
    const corefile = (port: number) =>
      batteryCorefile(port, {
        named: named.port,
        validator: validator.port,
        referring: referring.port,
        dead: deadPort,
      });
    const first = keep(await startNodens({ corefile }));
    const second = keep(await startNodens({ corefile }));
    return { named, validator, referring, first, second, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function batteryCorefile(
  port: number,
  upstreams: { named: number; validator: number; referring: number; dead: number },
): string {
  const cached = (zone: string, upstream: number, option = "") =>
    `${zone}:${port} {
  bind 127.0.0.1
  cache {
    success 9984 3600 60
    denial 9984 1800 60
    servfail 1m
  }
  forward . 127.0.0.1:${upstream} {
    ${option}
  }
}
`;
  return `${cached(".", upstreams.named)}
${cached("trusted.example", upstreams.validator)}
${cached("bogus.example", upstreams.validator)}
${cached("referring.example", upstreams.referring)}
${cached("dead.example", upstreams.dead)}
${
    Object.entries(OPTIONS).map(([label, option]) =>
      cached(`${label}.option.battery.example`, upstreams.named, option)
    ).join("")
  }
uncached.example:${port} {
  bind 127.0.0.1
  forward . 127.0.0.1:${upstreams.named}
}
empty.example:${port} {
  bind 127.0.0.1
}
`;
}

/** A TXT record's strings, a hundred octets each. */
function text(octets: number): string {
  return `( ${Array.from({ length: octets / 100 }, () => `"${"t".repeat(100)}"`).join(" ")} )`;
}

/** Signs a zone with a new key; `key` is the data of its trust anchor. */
function signZone(origin: string, zone: string): { text: string; key: string } {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_zone_" });
  try {
    const run = (command: string, ...args: string[]): string => {
      const { success, stdout, stderr } = new Deno.Command(command, { args, cwd: directory })
        .outputSync();
      if (success) return new TextDecoder().decode(stdout).trim();
      throw new Error(`Cannot sign "${origin}": ${new TextDecoder().decode(stderr)}`);
    };
    const key = run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", origin);
    const keyText = Deno.readTextFileSync(`${directory}/${key}.key`);
    Deno.writeTextFileSync(`${directory}/zone`, `$ORIGIN ${origin}.\n${zone}${keyText}`);
    run("dnssec-signzone", "-q", "-z", "-o", origin, "-f", "signed", "zone", key);
    const [, flags, protocol, algorithm, data] = /DNSKEY (\d+) (\d+) (\d+) (.+)/.exec(keyText)!;
    return {
      text: Deno.readTextFileSync(`${directory}/signed`),
      key: `${flags} ${protocol} ${algorithm} "${data!.replaceAll(" ", "")}"`,
    };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
