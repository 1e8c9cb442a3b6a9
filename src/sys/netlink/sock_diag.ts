/**
 * Sockets of this network namespace, as the kernel lists them (sock_diag(7)); no right is needed.
 *
 *     request:  family u8 | protocol u8 | extensions u8 | pad u8 | states u32 | id
 *     reply:    family u8 | state u8 | timer u8 | retransmits u8 | id | expires u32 | queues 2 × u32 |
 *               uid u32 | inode u32
 *     id:       port u16 | peer's port u16 | address 16 | peer's address 16 | interface u32 |
 *               cookie u64
 *
 * Ports are in network order, everything else in the machine's.
 */
import { Address } from "../../dns/address.ts";
import { AF, IPPROTO, SO, SOL } from "../constants.ts";
import type { Libc } from "../libc.ts";
import { encodeMessage, NLM_F } from "./netlink.ts";
import { NETLINK_PROTOCOL, NetlinkSocket } from "./socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_SIZE = 56;
const REPLY_SIZE = 72;
/** Where the fields of an id lie, from its start; it begins at these places. */
const ID = { peerPort: 2, address: 4, peer: 20, interface: 36, cookie: 40 } as const;
const REQUEST_ID = 8;
const REPLY_ID = 4;

/** A socket as the kernel describes it. */
export interface DiagnosedSocket {
  /** Its own address and port; the scope is the interface that it is bound to. */
  readonly local: Address;
  readonly peer: Address;
  /** Names the socket as long as the system runs (`SO_COOKIE`). */
  readonly cookie: bigint;
}

/** Which sockets to list. */
export interface DiagnosisQuery {
  family: 4 | 6;
  kind: "udp" | "tcp";
  /** Local port. */
  port: number;
  /** States of `SOCKET_STATE`. */
  states: readonly number[];
}

/** Lists sockets. Throws if the kernel does not tell. */
export function listSockets(queries: readonly DiagnosisQuery[]): DiagnosedSocket[] {
  const socket = new NetlinkSocket(0, NETLINK_PROTOCOL.SOCK_DIAG);
  try {
    return queries.flatMap((query) =>
      socket.dump((sequence) => encodeQuery(query, sequence)).map(({ body }) => decodeSocket(body))
    );
  } finally {
    socket.close();
  }
}

/** The cookie of an open socket, or null if the kernel has none (before Linux 4.12). */
export function cookieOf(libc: Libc, fd: number): bigint | null {
  const cookie = new BigUint64Array(1);
  const bytes = new Uint8Array(cookie.buffer);
  const size = new Uint32Array([bytes.length]);
  return libc.getsockopt(fd, SOL.SOCKET, SO.COOKIE, bytes, size) < 0 ? null : cookie[0]!;
}

/** Makes a request for a list. */
export function encodeQuery(
  { family, kind, port, states }: DiagnosisQuery,
  sequence: number,
): Uint8Array {
  const bytes = new Uint8Array(REQUEST_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, family === 4 ? AF.INET : AF.INET6);
  view.setUint8(1, kind === "udp" ? IPPROTO.UDP : IPPROTO.TCP);
  view.setUint32(4, states.reduce((mask, state) => mask | (1 << state), 0), true);
  view.setUint16(REQUEST_ID, port);
  const flags = NLM_F.REQUEST | NLM_F.DUMP;
  return encodeMessage({ type: SOCK_DIAG_BY_FAMILY, flags, sequence }, bytes);
}

/** Reads one socket. Throws a RangeError if it is cut. */
export function decodeSocket(body: Uint8Array): DiagnosedSocket {
  if (body.length < REPLY_SIZE) {
    throw new RangeError(`Cannot read a socket of ${body.length} octets: ${REPLY_SIZE} are needed`);
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const address = (portAt: number, at: number) => {
    const read = new Address();
    read.family = view.getUint8(0) === AF.INET ? 4 : 6;
    read.bytes.set(body.subarray(at, at + (read.family === 4 ? 4 : 16)));
    read.port = view.getUint16(portAt);
    return read;
  };
  const local = address(REPLY_ID, REPLY_ID + ID.address);
  local.scope = view.getUint32(REPLY_ID + ID.interface, true);
  return {
    local,
    peer: address(REPLY_ID + ID.peerPort, REPLY_ID + ID.peer),
    cookie: view.getBigUint64(REPLY_ID + ID.cookie, true),
  };
}
