import { FIRST_SOURCE_PORT, type ServerKind } from "./server.ts";

/** dnsmasq as a forwarding cache; it forks per TCP connection. */
export const dnsmasq: ServerKind = {
  name: "dnsmasq",
  binary: "dnsmasq",
  caches: true,
  peer: true,
  prepare({ port, upstreams, directory, capacity }) {
    const file = `${directory}/dnsmasq.conf`;
    Deno.writeTextFileSync(
      file,
      `port=${port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-poll
min-port=${FIRST_SOURCE_PORT}
${upstreams.map(({ address, port }) => `server=${address}#${port}`).join("\n")}
cache-size=${capacity}
dns-forward-max=10000
pid-file=
log-facility=/dev/null
`,
    );
    return ["dnsmasq", "--keep-in-foreground", `--user=${userName()}`, `--conf-file=${file}`];
  },
};

/** The current user's name or number, because dnsmasq would switch users. */
function userName(): string {
  const uid = String(Deno.uid() ?? 0);
  const entry = Deno.readTextFileSync("/etc/passwd").split("\n")
    .map((line) => line.split(":")).find((fields) => fields[2] === uid);
  return entry?.[0] ?? uid;
}
