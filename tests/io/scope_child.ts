/**
 * Opens upstream sockets to a link-local address in the network namespace that it was started in: for
 * each line of standard input it says the index of the interface that such a socket sends by, and -1
 * where none can be opened. The argument is the scope.
 */
import { Address, parseAddress } from "../../src/dns/address.ts";
import { Poller } from "../../src/io/linux/poller.ts";
import { UpstreamSockets } from "../../src/io/linux/upstream_sockets.ts";
import { openLibc } from "../../src/sys/libc.ts";

if (import.meta.main) {
  const libc = openLibc();
  const poller = new Poller(libc);
  const sockets = new UpstreamSockets(libc, poller, 4);
  const address = new Address();
  address.family = 6;
  address.bytes.set(parseAddress("fe80::1")!);
  address.port = 53;
  const endpoint = { address, scope: Deno.args[0]!, source: null, tls: null };
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      // Without a round of the poller a failure alone can tell of a change.
      if (line === "notice") { for (let i = 0; i < poller.wait(0); i++) poller.dispatch(i); }
      const index = sockets.open(endpoint, { reply() {}, failed() {} });
      if (index >= 0) sockets.release(index);
      sockets.settle(0);
      sockets.settle(0);
      const said = `${index < 0 ? -1 : address.scope}\n`;
      Deno.stdout.writeSync(new TextEncoder().encode(said));
    }
  }
  sockets.close();
  poller.close();
}
