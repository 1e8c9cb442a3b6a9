import { FIRST_SOURCE_PORT, type ServerKind } from "./server.ts";

/** PowerDNS Recursor as a forwarding cache with one thread. */
export const pdns: ServerKind = {
  name: "pdns",
  binary: "pdns_recursor",
  caches: true,
  peer: true,
  prepare({ port, upstreams, directory, capacity }) {
    Deno.writeTextFileSync(
      `${directory}/recursor.conf`,
      `local-address=127.0.0.1
local-port=${port}
forward-zones-recurse=.=${upstreams.map(({ address, port }) => `${address}:${port}`).join(";")}
allow-from=127.0.0.0/8
dont-query=
udp-source-port-min=${FIRST_SOURCE_PORT}
threads=1
pdns-distributes-queries=no
dnssec=off
max-cache-entries=${2 * capacity}
max-packetcache-entries=${2 * capacity}
security-poll-suffix=
quiet=yes
loglevel=0
disable-syslog=yes
daemon=no
write-pid=no
webserver=no
`,
    );
    return ["pdns_recursor", `--config-dir=${directory}`, `--socket-dir=${directory}`];
  },
};
