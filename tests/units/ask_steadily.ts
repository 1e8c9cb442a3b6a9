// deno-lint-ignore-file no-console
/**
 * Asks a server example.org over UDP, a query every few milliseconds, each from a socket of its own
 * and never again, until standard input closes; prints how many were asked, were answered, and got an
 * error or no address.
 *
 * Arguments: address.
 */
const [hostname] = Deno.args;
const PAUSE_MS = 5;
/** Bounds sockets and time, if nobody closes standard input: a minute. */
const LIMIT = 12_000;
/** What is not answered after this long never is. */
const PATIENCE_MS = 15_000;

/** So many addresses ask in turn, since what waits for one answer is bounded for each client. */
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
  // Nothing but a reply comes to it.
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
    // Closed after its time, or refused: not answered.
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
