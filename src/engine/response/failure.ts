import { FLAG, HEADER_SIZE } from "../../dns/constants.ts";
import type { Question } from "../question/question.ts";
import { NO_SCOPE, type Response } from "./response.ts";

/** Makes `response` one with nothing but the question and a response code. */
export function writeFailure(response: Response, question: Question, rcode: number): Response {
  const { bytes, view } = response.memory;
  const flags = FLAG.QR | (question.flags & (FLAG.OPCODE | FLAG.RD));
  const questionLength = question.qnameLength === 0 ? 0 : question.qnameLength + 4;
  view.setUint16(2, flags | (rcode & 0xf));
  view.setUint16(4, questionLength === 0 ? 0 : 1);
  view.setUint16(6, 0);
  view.setUint32(8, 0);
  const from = question.memory.bytes;
  const at = question.offset + HEADER_SIZE;
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
