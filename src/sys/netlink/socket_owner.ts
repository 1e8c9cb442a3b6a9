/**
 * Owner of a local TCP connection's other end (sock_diag(7)). Looks up one socket, at constant
 * cost.
 */
import { parseAddress } from "../../dns/address.ts";
import { AF, IPPROTO, SOCKET_STATE } from "../constants.ts";
import { type NetlinkMessage, type NetlinkRequest, NLM_F, viewOf } from "./netlink.ts";
import { NETLINK_PROTOCOL, NetlinkSocket } from "./socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_SIZE = 56;
/** Offsets in a request. */
const REQUEST = { port: 8, peerPort: 10, address: 12, peer: 28, cookie: 48 } as const;
const REPLY_SIZE = 72;
/** Offsets in a reply. */
const REPLY = { state: 1, uid: 64, inode: 68 } as const;
const MAPPED = "::ffff:";

/** An end of a TCP connection. */
export interface TcpEnd {
  hostname: string;
  port: number;
}

/** User of the socket at `end`; null if missing or closed by its process. */
export function socketOwner(end: TcpEnd, peer: TcpEnd): number | null {
  const request = ownerRequest(end, peer);
  if (request === null) return null;
  let socket: NetlinkSocket | null = null;
  try {
    socket = new NetlinkSocket(0, NETLINK_PROTOCOL.SOCK_DIAG);
    return decodeOwner(socket.run(request)[0]);
  } catch {
    // Missing, or not permitted.
    return null;
  } finally {
    socket?.close();
  }
}

/** Encodes a request; null for invalid addresses. */
export function ownerRequest(end: TcpEnd, peer: TcpEnd): NetlinkRequest | null {
  const [address, peerAddress] = [unmapped(end.hostname), unmapped(peer.hostname)];
  if (address === null || address.length !== peerAddress?.length) return null;
  const header = new Uint8Array(REQUEST_SIZE);
  const view = viewOf(header);
  view.setUint8(0, address.length === 4 ? AF.INET : AF.INET6);
  view.setUint8(1, IPPROTO.TCP);
  view.setUint32(4, 0xffffffff, true);
  view.setUint16(REQUEST.port, end.port);
  view.setUint16(REQUEST.peerPort, peer.port);
  header.set(address, REQUEST.address);
  header.set(peerAddress, REQUEST.peer);
  // INET_DIAG_NOCOOKIE: any.
  header.fill(0xff, REQUEST.cookie);
  return { type: SOCK_DIAG_BY_FAMILY, flags: NLM_F.ACK, header };
}

/** Decodes the owner. A socket without inode belongs to no process: its user reads as 0. */
export function decodeOwner(message: Pick<NetlinkMessage, "body"> | undefined): number | null {
  if (message === undefined || message.body.length < REPLY_SIZE) return null;
  const view = viewOf(message.body);
  if (view.getUint8(REPLY.state) !== SOCKET_STATE.ESTABLISHED) return null;
  return view.getUint32(REPLY.inode, true) === 0 ? null : view.getUint32(REPLY.uid, true);
}

function unmapped(hostname: string): Uint8Array | null {
  return parseAddress(hostname.startsWith(MAPPED) ? hostname.slice(MAPPED.length) : hostname);
}
