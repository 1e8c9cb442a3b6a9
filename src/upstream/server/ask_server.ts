import type { EngineServices } from "../../engine/handler.ts";
import type { Endpoint } from "../../engine/io.ts";
import type { Reply } from "../message/reply.ts";
import type { Connections } from "../transport/connections.ts";
import type { SocketQueue } from "../transport/socket_queue.ts";
import type { Cookie } from "./cookie.ts";
import type { EdnsLadder } from "./ladder.ts";
import type { RoundTrip } from "./round_trip.ts";
import type { Spelling } from "./spelling.ts";

/** What an ask (`A`) needs of its server. */
export interface AskServer<A> {
  readonly engine: EngineServices;
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  readonly ladder: EdnsLadder;
  readonly spelling: Spelling;
  readonly cookie: Cookie;
  readonly roundTrip: RoundTrip;
  /** Where queries wait for a socket. */
  readonly sockets: SocketQueue;
  /** Where replies are read. */
  readonly reply: Reply;
  /** Time for one answer, in milliseconds. */
  readonly readTimeoutMs: number;
  /** Queries go over a stream, whoever asks. */
  readonly forceTcp: boolean;
  /** Whether its TCP has failed of late. */
  readonly tcpFails: boolean;
  /** An ask is under way. */
  sent(ask: A): void;
  /** An ask is over. */
  done(ask: A): void;
  /** A reply came, which `reply` describes, after so many milliseconds. */
  heard(tookMs: number): void;
  /** An ask sent at this time got no answer. */
  failed(sentMs: number): void;
  /** A truncated answer could not be had whole over TCP. */
  tcpFailed(): void;
  countMismatch(): void;
  countMalformed(): void;
  countForgery(): void;
  countWrongSubnet(): void;
  /** Tells the operator, once, that the server folds the case of names. */
  reportFolding(): void;
  /** Takes an ask back for the next question. */
  giveBack(ask: A): void;
}
