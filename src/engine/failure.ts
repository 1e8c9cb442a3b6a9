import { FLAG, HEADER_SIZE } from "../dns/constants.ts";
import type { Exchange } from "./exchange.ts";
import { NO_SCOPE, type Response } from "./response.ts";

/** Makes of `response` one with nothing but the exchange's question and a response code. */
export function writeFailure(response: Response, exchange: Exchange, rcode: number): Response {
  const { bytes, view } = response.memory;
  const flags = FLAG.QR | (exchange.flags & (FLAG.OPCODE | FLAG.RD));
  const questionLength = exchange.qnameLength === 0 ? 0 : exchange.qnameLength + 4;
  view.setUint16(2, flags | (rcode & 0xf));
  view.setUint16(4, questionLength === 0 ? 0 : 1);
  view.setUint16(6, 0);
  view.setUint32(8, 0);
  const from = exchange.memory.bytes;
  const at = exchange.offset + HEADER_SIZE;
  for (let i = 0; i < questionLength; i++) bytes[HEADER_SIZE + i] = from[at + i]!;
  response.length = HEADER_SIZE + questionLength;
  response.ttlCount = 0;
  response.ttlSeconds = -1;
  response.extendedRcode = rcode >> 4;
  response.cached = false;
  response.kind = 0;
  response.ecsScope = NO_SCOPE.NEEDED;
  response.extendedError = -1;
  return response;
}
