/**
 * The kernel's list of sockets in this network namespace (sock_diag(7)); needs no capability.
 *
 *     request:  family u8 | protocol u8 | extensions u8 | pad u8 | states u32 | id
 *     reply:    family u8 | state u8 | timer u8 | retransmits u8 | id | expires u32 | queues 2 × u32 |
 *               uid u32 | inode u32
 *     id:       port u16 | peer's port u16 | address 16 | peer's address 16 | interface u32 |
 *               cookie u64
 *
 * Ports are in network order, everything else in host order.
 */
import { Address } from "../../dns/address.ts";
import { AF, IPPROTO, SO, SOL } from "../constants.ts";
import type { Libc } from "../libc.ts";
import { type NetlinkRequest, NLM_F, viewOf } from "./netlink.ts";
import { NETLINK_PROTOCOL, NetlinkSocket } from "./socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_SIZE = 56;
const REPLY_SIZE = 72;
const REQUEST_ID = 8;
/** Offsets in a reply; its id begins at 4. */
const REPLY = {
  ...{ port: 4, peerPort: 6, address: 8, peer: 24, interface: 40, cookie: 44, uid: 64 },
} as const;

/** Socket as described by the kernel. */
export interface DiagnosedSocket {
  readonly local: Address;
  readonly peer: Address;
  /** `SO_COOKIE`: unique until reboot. */
  readonly cookie: bigint;
  /** Opener; 65534 for users outside this user namespace. */
  readonly uid: number;
}

/** Filter for `listSockets`. */
export interface DiagnosisQuery {
  family: 4 | 6;
  kind: "udp" | "tcp";
  port: number;
  states: readonly number[];
}

/** Lists sockets. Throws if not permitted. */
export function listSockets(
  queries: readonly DiagnosisQuery[],
): (DiagnosedSocket & Pick<DiagnosisQuery, "kind">)[] {
  const socket = new NetlinkSocket(0, NETLINK_PROTOCOL.SOCK_DIAG);
  try {
    return queries.flatMap((query) =>
      socket.dump(socketRequest(query)).map(({ body }) => ({
        ...decodeSocket(body),
        kind: query.kind,
      }))
    );
  } finally {
    socket.close();
  }
}

/** Cookie of an open socket, or null (before Linux 4.12). */
export function cookieOf(libc: Libc, fd: number): bigint | null {
  const cookie = new BigUint64Array(1);
  const size = new Uint32Array([cookie.byteLength]);
  return libc.getsockopt(fd, SOL.SOCKET, SO.COOKIE, cookie, size) < 0 ? null : cookie[0]!;
}

/** Encodes a request. */
export function socketRequest({ family, kind, port, states }: DiagnosisQuery): NetlinkRequest {
  const header = new Uint8Array(REQUEST_SIZE);
  const view = viewOf(header);
  view.setUint8(0, family === 4 ? AF.INET : AF.INET6);
  view.setUint8(1, kind === "udp" ? IPPROTO.UDP : IPPROTO.TCP);
  view.setUint32(4, states.reduce((mask, state) => mask | (1 << state), 0), true);
  view.setUint16(REQUEST_ID, port);
  return { type: SOCK_DIAG_BY_FAMILY, flags: NLM_F.DUMP, header };
}

/** Decodes a reply. Throws a RangeError if truncated. */
export function decodeSocket(body: Uint8Array): DiagnosedSocket {
  if (body.length < REPLY_SIZE) {
    throw new RangeError(`Cannot read a socket of ${body.length} octets: ${REPLY_SIZE} are needed`);
  }
  const view = viewOf(body);
  const address = (portAt: number, at: number) => {
    const read = new Address();
    read.family = view.getUint8(0) === AF.INET ? 4 : 6;
    read.bytes.set(body.subarray(at, at + (read.family === 4 ? 4 : 16)));
    read.port = view.getUint16(portAt);
    return read;
  };
  const local = address(REPLY.port, REPLY.address);
  local.scope = view.getUint32(REPLY.interface, true);
  return {
    local,
    peer: address(REPLY.peerPort, REPLY.peer),
    cookie: view.getBigUint64(REPLY.cookie, true),
    uid: view.getUint32(REPLY.uid, true),
  };
}
