import { AF, MSG, SOCK, SOL } from "../constants.ts";
import { errnoText, lastErrorText, type Libc, openLibc } from "../libc.ts";
import { setOption } from "../socket_options.ts";
import {
  decodeAcknowledgement,
  decodeMessages,
  encodeRequest,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  NLMSG,
  viewOf,
} from "./netlink.ts";

/** Netlink protocols: routing, and socket diagnosis. */
export const NETLINK_PROTOCOL = { ROUTE: 0, SOCK_DIAG: 4 } as const;
/** Acknowledgements without the request, and with an explanation. */
const NETLINK = { CAP_ACK: 10, EXT_ACK: 11 } as const;
const SOCKADDR_NL_SIZE = 12;
/** Receive calls return at most 32 KiB. */
const BUFFER_SIZE = 65536;
const MAX_DUMP = 100_000;
/** Until a dump without a concurrent change. */
const MAX_DUMPS = 5;
/** A reply is queued before `send` returns. */
const MAX_RECEIVES = 3;

/** A request refused by the kernel. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly errno: number;

  constructor(errno: number, text: string) {
    super(text === "" ? errnoText(errno) : `${errnoText(errno)} (${text.replace(/\.$/, "")})`);
    this.errno = errno;
  }
}

/** Non-blocking socket for requests to the kernel. */
export class NetlinkSocket {
  readonly #libc: Libc = openLibc();
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #fd: number;
  #sequence = 0;

  /** Bit n-1 of `groups` selects group n. Throws if not permitted. */
  constructor(groups = 0, protocol: number = NETLINK_PROTOCOL.ROUTE) {
    this.#fd = this.#libc.socket(AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, protocol);
    if (this.#fd < 0) throw new Error(`Cannot open a netlink socket: ${lastErrorText()}`);
    // Old kernels lack these.
    for (const name of Object.values(NETLINK)) setOption(this.#libc, this.#fd, SOL.NETLINK, name);
    const address = new Uint8Array(SOCKADDR_NL_SIZE);
    viewOf(address).setUint16(0, AF.NETLINK, true);
    viewOf(address).setUint32(8, groups, true);
    if (this.#libc.bind(this.#fd, address, address.length) < 0) {
      const why = lastErrorText();
      this.close();
      throw new Error(`Cannot bind a netlink socket: ${why}`);
    }
  }

  get fd(): number {
    return this.#fd;
  }

  /** Returns messages before the acknowledgement. Throws `NetlinkError`. */
  run(request: NetlinkRequest): NetlinkMessage[] {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = encodeRequest(request, this.#sequence);
    if (this.#libc.send(this.#fd, bytes, bytes.length, 0) !== bytes.length) {
      throw new Error(`Cannot send to the kernel: ${lastErrorText()}`);
    }
    const found: NetlinkMessage[] = [];
    for (let misses = 0; misses < MAX_RECEIVES;) {
      const length = this.#receive();
      if (length < 0) {
        misses++;
        continue;
      }
      if (length > BUFFER_SIZE) throw new Error(`Cannot read a netlink reply of ${length} octets`);
      for (const message of this.#messages(length)) {
        // From an abandoned request.
        if (message.sequence !== this.#sequence) continue;
        if (message.type === NLMSG.ERROR || message.type === NLMSG.DONE) {
          const { errno, text } = decodeAcknowledgement(message);
          if (errno !== 0) throw new NetlinkError(errno, text);
          return found;
        }
        if (found.length === MAX_DUMP) throw new Error("Cannot read a netlink reply without end");
        found.push(message);
      }
    }
    throw new Error("Cannot read the kernel's reply to a netlink request: none came");
  }

  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let i = 0; i < MAX_DUMPS; i++) {
      const messages = this.run(request);
      if (!messages.some(({ flags }) => (flags & NLM_F.DUMP_INTERRUPTED) !== 0)) return messages;
    }
    throw new Error(
      `Cannot get a whole list from the kernel: it changed in each of ${MAX_DUMPS} tries`,
    );
  }

  /** At most `limit` receive calls; null if notices were lost or truncated. */
  takeNotices(limit: number): NetlinkMessage[] | null {
    let lost = false;
    const messages: NetlinkMessage[] = [];
    for (let i = 0; i < limit; i++) {
      let length = this.#receive();
      if (length < 0) {
        // Empty, or overflowed (ENOBUFS).
        length = this.#receive();
        if (length < 0) break;
        lost = true;
      }
      if (length > BUFFER_SIZE) lost = true;
      else messages.push(...this.#messages(length));
    }
    return lost ? null : messages;
  }

  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  /** Above `BUFFER_SIZE` if truncated; -1 if empty. */
  #receive(): number {
    return this.#libc.recv(this.#fd, this.#buffer, BUFFER_SIZE, MSG.DONTWAIT | MSG.TRUNC);
  }

  /** Copies: the buffer is reused. */
  #messages(length: number): NetlinkMessage[] {
    return decodeMessages(this.#buffer.slice(0, length));
  }
}
