import { FIRST_SOURCE_PORT, type ServerKind } from "./server.ts";

/** Unbound as a forwarding cache with one thread. */
export const unbound: ServerKind = {
  name: "unbound",
  binary: "unbound",
  caches: true,
  peer: true,
  prepare({ port, address = "127.0.0.1", upstreams, directory, capacity }) {
    const file = `${directory}/unbound.conf`;
    // Unbound bounds its caches in bytes; a kilobyte per entry suffices.
    const cacheBytes = capacity * 1024;
    Deno.writeTextFileSync(
      file,
      `server:
  directory: "${directory}"
  chroot: ""
  username: ""
  pidfile: ""
  do-daemonize: no
  num-threads: 1
  interface: ${address}
  port: ${port}
  do-ip6: no
  access-control: 0.0.0.0/0 allow
  do-not-query-localhost: no
  module-config: "iterator"
  msg-cache-size: ${cacheBytes}
  rrset-cache-size: ${2 * cacheBytes}
  outgoing-range: 4096
  outgoing-port-avoid: "0-${FIRST_SOURCE_PORT - 1}"
  num-queries-per-thread: 4096
  verbosity: 0
  use-syslog: no
  logfile: ""
remote-control:
  control-enable: no
forward-zone:
  name: "."
${upstreams.map(({ address, port }) => `  forward-addr: ${address}@${port}\n`).join("")}`,
    );
    return ["unbound", "-d", "-p", "-c", file];
  },
};
