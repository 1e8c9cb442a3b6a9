/**
 * Sends queries from its network namespace and prints a line of JSON: the answers in hexadecimal,
 * null for none. The argument is a list of `Asked`.
 */
import { lastErrorText, openLibc } from "../../../src/sys/libc.ts";
import { cString } from "../../../src/sys/libc.ts";
import { type Family, frameOf, SERVER } from "./packets.ts";

export interface Asked {
  family: Family;
  message: number[];
  /** A frame of its own, with a checksum by us; otherwise an ordinary socket, which leaves it out. */
  raw?: { interface: string; macs: number[]; source: number[]; wrongSum?: boolean; tag?: boolean };
  /** Two queries as one packet that is to be cut (UDP_SEGMENT). */
  twice?: boolean;
}

const WAIT_MS = 500;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

const answers: (string | null)[] = [];
for (const asked of JSON.parse(Deno.args[0]!) as Asked[]) answers.push(await ask(asked));
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answers)}\n`));

async function ask({ family, message, raw, twice }: Asked): Promise<string | null> {
  const hostname = family === 4 ? "0.0.0.0" : "::";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  const timer = setTimeout(() => socket.close(), WAIT_MS);
  try {
    if (twice) sendTwice(message);
    else if (raw) sendRaw(family, message, raw, port);
    else {
      const to = { transport: "udp" as const, hostname: text(family), port: 53 };
      await socket.send(new Uint8Array(message), to);
    }
    const [bytes] = await socket.receive();
    socket.close();
    return bytes.toHex();
  } catch (error) {
    if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
      return null;
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function sendRaw(
  family: Family,
  message: number[],
  raw: NonNullable<Asked["raw"]>,
  sourcePort: number,
): void {
  const { macs, source } = raw;
  let frame = frameOf({ family, message, macs, source, sourcePort });
  if (raw.wrongSum) frame[frame.length - message.length - 1]! ^= 1;
  if (raw.tag) {
    frame = new Uint8Array([...frame.subarray(0, 12), 0x81, 0, 0, 5, ...frame.subarray(12)]);
  }
  const libc = openLibc();
  const fd = libc.socket(AF_PACKET, SOCK_RAW, 0);
  // struct sockaddr_ll
  const to = new Uint8Array(20);
  const view = new DataView(to.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, family === 4 ? 0x0800 : 0x86dd);
  view.setInt32(4, libc.if_nametoindex(cString(raw.interface)), true);
  view.setUint8(11, 6);
  if (libc.sendto(fd, frame, frame.length, 0, to, to.length) < 0) throw new Error(lastErrorText());
  libc.close(fd);
}

/** Over IPv4. */
function sendTwice(message: number[]): void {
  const libc = openLibc();
  const fd = libc.socket(2, 2, 0);
  libc.setsockopt(fd, SOL_UDP, UDP_SEGMENT, new Uint8Array([message.length, 0, 0, 0]), 4);
  const to = new Uint8Array([2, 0, 0, 53, ...SERVER[4], 0, 0, 0, 0, 0, 0, 0, 0]);
  const both = new Uint8Array([...message, ...message]);
  if (libc.sendto(fd, both, both.length, 0, to, to.length) < 0) throw new Error(lastErrorText());
  libc.close(fd);
}

function text(family: Family): string {
  if (family === 4) return SERVER[4].join(".");
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((i) => SERVER[6][i]! << 8 | SERVER[6][i + 1]!);
  return groups.map((group) => group.toString(16)).join(":");
}
