// A 64-bit number costs a BigInt per call.
const INT = "i32";
const SIZE = "u32";
const BUFFER = "buffer";
const POINTER = "pointer";

// Parameters: see sections 2 and 3 of the manual.
const SYMBOLS = {
  socket: fn(INT, INT, INT),
  bind: fn(INT, BUFFER, SIZE),
  listen: fn(INT, INT),
  connect: fn(INT, BUFFER, SIZE),
  accept4: fn(INT, BUFFER, BUFFER, INT),
  getsockname: fn(INT, BUFFER, BUFFER),
  getpeername: fn(INT, BUFFER, BUFFER),
  setsockopt: fn(INT, INT, INT, BUFFER, SIZE),
  getsockopt: fn(INT, INT, INT, BUFFER, BUFFER),
  shutdown: fn(INT, INT),
  recv: fn(INT, BUFFER, SIZE, INT),
  send: fn(INT, BUFFER, SIZE, INT),
  sendto: fn(INT, BUFFER, SIZE, INT, BUFFER, SIZE),
  recvmmsg: fn(INT, BUFFER, SIZE, INT, POINTER),
  sendmmsg: fn(INT, BUFFER, SIZE, INT),
  epoll_create1: fn(INT),
  epoll_ctl: fn(INT, INT, INT, BUFFER),
  epoll_wait: fn(INT, BUFFER, INT, INT),
  eventfd: fn(SIZE, INT),
  open: fn(BUFFER, INT),
  read: fn(INT, BUFFER, SIZE),
  write: fn(INT, BUFFER, SIZE),
  readlink: fn(BUFFER, BUFFER, SIZE),
  opendir: { parameters: [BUFFER], result: POINTER },
  readdir: { parameters: [POINTER], result: POINTER },
  closedir: fn(POINTER),
  clock_gettime: fn(INT, BUFFER),
  getrlimit: fn(INT, BUFFER),
  setrlimit: fn(INT, BUFFER),
  fcntl: fn(INT, INT, INT),
  /** Blocking calls run on another thread. */
  fcntlAsync: { name: "fcntl", ...fn(INT, INT, INT), nonblocking: true },
  ioctl: fn(INT, SIZE, BUFFER),
  close: fn(INT),
  closeAsync: { name: "close", ...fn(INT), nonblocking: true },
  madvise: fn(POINTER, "usize", INT),
  malloc_trim: fn(SIZE),
  mmap: { parameters: [POINTER, "usize", INT, INT, INT, "i64"], result: POINTER },
  munmap: fn(POINTER, "usize"),
  /** bpf(2), which glibc has no function for. */
  bpf: { name: "syscall", ...fn("i64", INT, BUFFER, SIZE) },
  /** Takes the verifier's time on another thread, whose errno is out of reach. */
  bpfAsync: { name: "syscall", ...fn("i64", INT, BUFFER, SIZE), nonblocking: true },
  if_nametoindex: fn(BUFFER),
  __errno_location: { parameters: [], result: POINTER },
} as const satisfies Deno.ForeignLibraryInterface;

function fn<const P extends Deno.NativeType[]>(...parameters: P) {
  return { parameters, result: INT } as const;
}

/** Functions of the opened library. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let symbols: Libc | null = null;
let errno = new Int32Array(1);

/** Opens glibc. Throws without glibc (musl, another system) or FFI. */
export function openLibc(): Libc {
  if (symbols === null) {
    symbols = functions();
    const location = symbols.__errno_location()!;
    errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
  }
  return symbols;
}

/** Opens each function on first use: one takes 0.2 ms and a page of code. */
function functions(): Libc {
  const getters: PropertyDescriptorMap = {};
  for (const name of Object.keys(SYMBOLS) as (keyof Libc)[]) {
    getters[name] = {
      get() {
        const { [name]: value } = Deno.dlopen("libc.so.6", { [name]: SYMBOLS[name] }).symbols;
        // Own, and so as fast as if it had been opened with the others.
        Object.defineProperty(this, name, { value });
        return value;
      },
    };
  }
  return Object.create(Object.create(null, getters));
}

/** A zero-terminated string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** Error number of the last call. Read it in the same expression: V8 makes system calls too. */
export function lastErrno(): number {
  return errno[0]!;
}

const TEXT = new Map<number, string>([
  [1, "operation not permitted"],
  [2, "it does not exist"],
  [7, "too large"],
  [12, "out of memory"],
  [13, "permission denied"],
  [16, "device or resource busy"],
  [17, "it exists already"],
  [19, "no such device"],
  [22, "invalid argument"],
  [24, "too many open files"],
  [28, "no space left"],
  [32, "broken pipe"],
  [38, "not implemented"],
  [93, "protocol not supported"],
  [95, "operation not supported"],
  [97, "address family not supported"],
  [98, "address already in use"],
  [99, "address not available"],
  [101, "network is unreachable"],
  [104, "connection reset by peer"],
  [105, "no buffer space available"],
  [110, "connection timed out"],
  [111, "connection refused"],
  [113, "no route to host"],
]);

/** Describes an error number. */
export function errnoText(errno: number): string {
  return TEXT.get(errno) ?? `error ${errno}`;
}

/** Describes the error of the last failed call. */
export function lastErrorText(): string {
  return errnoText(lastErrno());
}
