// deno-lint-ignore-file no-console
/**
 * Queries example.org over UDP every few milliseconds, each query from its own socket and only
 * once, until standard input closes; prints the numbers of queries, answers, and errors or answers
 * without an address.
 *
 * Arguments: address.
 */
const [hostname] = Deno.args;
const PAUSE_MS = 5;
/** Limits sockets and time (a minute) if standard input stays open. */
const LIMIT = 12_000;
/** Time after which a query is lost. */
const PATIENCE_MS = 15_000;

/** Source addresses, since queries that wait for one answer are limited per client. */
const CLIENTS = 200;

let asked = 0;
let answered = 0;
let failed = 0;
let open = true;
const waiting: Promise<void>[] = [];

async function ask(id: number): Promise<void> {
  const query = new Uint8Array([
    ...[id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ...[7, ...new TextEncoder().encode("example"), 3, ...new TextEncoder().encode("org"), 0],
    ...[0, 1, 0, 1],
  ]);
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: `127.0.1.${1 + id % CLIENTS}`,
    port: 0,
  });
  const timer = setTimeout(() => socket.close(), PATIENCE_MS);
  try {
    await socket.send(query, { transport: "udp", hostname: hostname!, port: 53 });
    const [reply] = await socket.receive();
    if ((reply[3]! & 15) === 0 && reply[7]! > 0) answered++;
    else failed++;
    clearTimeout(timer);
    socket.close();
  } catch {
    // Timed out or refused.
    clearTimeout(timer);
  }
}

(async () => {
  for await (const _ of Deno.stdin.readable);
  open = false;
})();
console.log("asking");
while (open && asked < LIMIT) {
  waiting.push(ask(asked++));
  await new Promise((wake) => setTimeout(wake, PAUSE_MS));
}
await Promise.all(waiting);
console.log(`${asked} asked, ${answered} answered, ${failed} failed`);
Deno.exit(0);
