/** Posts the error numbers of its thread's first failing calls: EBADF and EAGAIN, twice. */
import { EFD_NONBLOCK } from "../../src/sys/constants.ts";
import { lastErrno, openLibc } from "../../src/sys/libc.ts";

const libc = openLibc();
const fd = libc.eventfd(0, EFD_NONBLOCK);
const word = new Uint8Array(8);
const read = [-1, fd, -1, fd].map((from) => libc.read(from, word, 8) < 0 ? lastErrno() : 0);
libc.close(fd);
(self as unknown as { postMessage(data: unknown): void }).postMessage(read);
