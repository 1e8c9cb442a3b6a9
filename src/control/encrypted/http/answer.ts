/** What DNS over HTTPS needs to know of the DNS messages that it carries. */
const HEADER_SIZE = 12;
const FLAG = { QR: 0x80, TC: 0x02 } as const;
const RCODE_MASK = 0x0f;
const SERVFAIL = 2;
/** Codes that come without the question (FORMERR, SERVFAIL, NOTIMP, REFUSED). */
const BARE_CODES: readonly number[] = [1, 2, 4, 5];

/** The query itself as a response that says SERVFAIL; its sections stay, so it matches the question. */
export function servfail(query: Uint8Array): Uint8Array {
  const response = query.slice();
  response[2]! |= FLAG.QR;
  response[3] = 0x80 | SERVFAIL;
  return response;
}

/**
 * Whether a message may answer a query: it is a response and repeats the question in whatever case,
 * or says nothing but that something is wrong. The engine looks closer.
 */
export function answersQuery(query: Uint8Array, message: Uint8Array): boolean {
  if (message.length < HEADER_SIZE || (message[2]! & FLAG.QR) === 0) return false;
  const questions = (message[4]! << 8) | message[5]!;
  if (questions === 0) {
    const records = message[6]! | message[7]! | message[8]! | message[9]!;
    const additional = message[10]! | message[11]!;
    const wrong = (message[2]! & FLAG.TC) !== 0 ||
      BARE_CODES.includes(message[3]! & RCODE_MASK) || additional !== 0;
    return records === 0 && wrong;
  }
  const end = questionEnd(query);
  if (questions !== 1 || message.length < end) return false;
  for (let at = HEADER_SIZE; at < end; at++) {
    if (message[at] !== query[at] && lower(message[at]!) !== lower(query[at]!)) return false;
  }
  return true;
}

/** Where the question of one of our own queries ends; its name is not compressed. */
function questionEnd(query: Uint8Array): number {
  let at = HEADER_SIZE;
  while (at < query.length && query[at] !== 0) at += query[at]! + 1;
  return Math.min(at + 5, query.length);
}

/** Lengths of labels are below the letters, so they stay as they are. */
function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}
