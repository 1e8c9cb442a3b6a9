/**
 * Opens upstream sockets to a link-local address with the scope in the argument. For each line of
 * standard input, prints the index of the socket's interface, or -1.
 */
import { Poller } from "../../src/io/linux/poller.ts";
import { UpstreamSockets } from "../../src/io/linux/upstream_sockets.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { parseSocketAddress } from "../../src/sys/sockaddr.ts";

if (import.meta.main) {
  const libc = openLibc();
  const poller = new Poller(libc);
  const sockets = new UpstreamSockets(libc, poller, 4);
  const address = parseSocketAddress(libc, "fe80::1", 53)!;
  const endpoint = { address, scope: Deno.args[0]!, source: null, tls: null };
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      // Without a round of the poller, only a failure reveals a change.
      if (line === "notice") { for (let i = 0; i < poller.wait(0); i++) poller.dispatch(i); }
      const index = sockets.open(endpoint, { reply() {}, failed() {} });
      if (index >= 0) sockets.release(index);
      sockets.endRound(0);
      sockets.endRound(0);
      const said = `${index < 0 ? -1 : address.scope}\n`;
      Deno.stdout.writeSync(new TextEncoder().encode(said));
    }
  }
  sockets.close();
  poller.close();
}
