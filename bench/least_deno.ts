/** The least Deno program that answers over UDP: what the runtime alone costs in the benchmark. */
const [port = ""] = Deno.args;
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: Number(port),
});
/** `192.0.2.1`, owned by the name at offset 12. */
const RECORD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1];

for await (const [query, client] of socket) {
  const answer = new Uint8Array([...query, ...RECORD]);
  answer[2]! |= 0x80;
  answer[7] = 1;
  await socket.send(answer, client);
}
