import { AF, MSG, SOCK, SOL } from "../constants.ts";
import { errnoText, lastErrorText, type Libc, openLibc } from "../libc.ts";
import {
  decodeAcknowledgement,
  decodeMessages,
  type NetlinkMessage,
  NLM_F,
  NLMSG,
} from "./netlink.ts";

/** Protocols of netlink: links, addresses and routes; sockets. */
export const NETLINK_PROTOCOL = { ROUTE: 0, SOCK_DIAG: 4 } as const;
/** Socket options of netlink: no copy of the request in an acknowledgement, but words of reason. */
const NETLINK = { CAP_ACK: 10, EXT_ACK: 11 } as const;
const SOCKADDR_NL_SIZE = 12;
/** The kernel fills 32 KiB at most with one receive call. */
const BUFFER_SIZE = 65536;
/** Most messages of one dump: far more than the links or addresses of any machine. */
const MAX_DUMP = 100_000;
/** How often a dump is begun again that was disturbed by a change. */
const MAX_DUMPS = 5;
/** How often a reply is looked for; the kernel lays it ready before the request's call returns. */
const MAX_LOOKS = 3;

/** A request that the kernel refused. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  /** The kernel's error number. */
  readonly errno: number;

  constructor(errno: number, text: string) {
    super(text === "" ? errnoText(errno) : `${errnoText(errno)} (${text.replace(/\.$/, "")})`);
    this.errno = errno;
  }
}

/** A request without the number that the socket gives it. */
export type Request = (sequence: number) => Uint8Array;

/** A socket for requests to the kernel. No call of it waits for anything. */
export class NetlinkSocket {
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #fd: number;
  #sequence = 0;

  /**
   * Opens it, and where `groups` has bits set, lets notices come in: bit n-1 stands for group n.
   * Throws if the system does not allow it.
   */
  constructor(groups = 0, protocol: number = NETLINK_PROTOCOL.ROUTE) {
    this.#libc = openLibc();
    this.#fd = this.#libc.socket(AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, protocol);
    if (this.#fd < 0) {
      throw new Error(`Cannot open a netlink socket: ${lastErrorText()}`);
    }
    const on = new Uint8Array([1, 0, 0, 0]);
    for (const option of Object.values(NETLINK)) {
      // An old kernel does without: its acknowledgements are longer, or have no words.
      this.#libc.setsockopt(this.#fd, SOL.NETLINK, option, on, on.length);
    }
    const address = new Uint8Array(SOCKADDR_NL_SIZE);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF.NETLINK, true);
    view.setUint32(8, groups, true);
    if (this.#libc.bind(this.#fd, address, address.length) < 0) {
      const why = lastErrorText();
      this.close();
      throw new Error(`Cannot bind a netlink socket: ${why}`);
    }
  }

  /** Its descriptor, to be watched for notices; -1 once it is closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Has a request carried out. Throws a NetlinkError if the kernel refuses it. */
  run(request: Request): void {
    this.#exchange(request);
  }

  /** Asks for one thing; null if the kernel refuses with `missing`. */
  get(request: Request, missing: number): NetlinkMessage | null {
    try {
      return this.#exchange(request)[0] ?? null;
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === missing) return null;
      throw error;
    }
  }

  /** Asks for all there is of a kind. */
  dump(request: Request): NetlinkMessage[] {
    for (let i = 0; i < MAX_DUMPS; i++) {
      const messages = this.#exchange(request);
      if (!messages.some(({ flags }) => (flags & NLM_F.DUMP_INTERRUPTED) !== 0)) return messages;
    }
    throw new Error(
      `Cannot get a whole list from the kernel: it changed in each of ${MAX_DUMPS} tries`,
    );
  }

  /**
   * Takes what has come of notices, up to `limit` receive calls.
   *
   * @returns null if some were lost, for want of space or because they were cut
   */
  takeNotices(limit: number): NetlinkMessage[] | null {
    let lost = false;
    const messages: NetlinkMessage[] = [];
    for (let i = 0; i < limit; i++) {
      let length = this.#receive();
      if (length < 0) {
        // The queue is empty; or notices were lost (ENOBUFS), and those before them follow.
        length = this.#receive();
        if (length < 0) break;
        lost = true;
      }
      if (length > BUFFER_SIZE) lost = true;
      else messages.push(...copied(decodeMessages(this.#buffer.subarray(0, length))));
    }
    return lost ? null : messages;
  }

  /** Closes it; a second time does nothing. */
  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  /** Sends a request and gathers what comes before its acknowledgement. */
  #exchange(request: Request): NetlinkMessage[] {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = request(this.#sequence);
    if (this.#libc.send(this.#fd, bytes, bytes.length, 0) !== bytes.length) {
      throw new Error(`Cannot send to the kernel: ${lastErrorText()}`);
    }
    const found: NetlinkMessage[] = [];
    for (let looks = 0; looks < MAX_LOOKS;) {
      const length = this.#receive();
      if (length < 0) {
        looks++;
        continue;
      }
      if (length > BUFFER_SIZE) throw new Error(`Cannot read a netlink reply of ${length} octets`);
      for (const message of decodeMessages(this.#buffer.subarray(0, length))) {
        // The rest of a request that was abandoned.
        if (message.sequence !== this.#sequence) continue;
        if (message.type === NLMSG.ERROR || message.type === NLMSG.DONE) {
          const { errno, text } = decodeAcknowledgement(message);
          if (errno !== 0) throw new NetlinkError(errno, text);
          return found;
        }
        if (found.length === MAX_DUMP) throw new Error("Cannot read a netlink reply without end");
        found.push({ ...message, body: message.body.slice() });
      }
    }
    throw new Error("Cannot read the kernel's reply to a netlink request: none came");
  }

  /** Length of the next datagram, longer than the buffer where it was cut; -1 where there is none. */
  #receive(): number {
    return this.#libc.recv(
      this.#fd,
      this.#buffer,
      BUFFER_SIZE,
      MSG.DONTWAIT | MSG.TRUNC,
    );
  }
}

/** The next receive call fills the buffer anew. */
function copied(messages: NetlinkMessage[]): NetlinkMessage[] {
  return messages.map((message) => ({ ...message, body: message.body.slice() }));
}
