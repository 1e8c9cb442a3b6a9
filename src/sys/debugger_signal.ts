/**
 * Keeps V8's debugger shut. This must run before anything else.
 *
 * `deno run` (2.9.2 and later) opens the inspector on 127.0.0.1:9229 when SIGUSR1 comes, for anybody
 * on the machine: whoever connects runs code as this process. No option turns that off, a listener
 * for the signal does not replace it, and a signal that is ignored at exec is handled all the same.
 * Deno begins to listen 500 ms after the start. The runtime inside a compiled nodens does not listen.
 *
 * Deno installs the kernel's handler of a signal once, when the first listener for it comes, and
 * never again. So this adds a listener first and then replaces the kernel's handler: Deno never
 * hears of the signal, however many listeners it adds.
 *
 * The new handler is `sigignore` of the C library. The kernel calls it with the number of the
 * signal, and it makes the kernel ignore that signal from then on: one system call, safe in a signal
 * handler. `arrived` finds it replaced, and puts it back.
 */

/** SIGUSR1 on Linux. */
const SIGUSR1 = 10;
/** Where Deno's inspector listens. */
const DEBUGGER = { hostname: "127.0.0.1", port: 9229 } as const;
/** Deno may open the debugger only after the listener has run: it is closed a second time. */
const CLOSE_AGAIN_MS = 100;
/** How often the port is tried while somebody else has it. */
const OCCUPY_AGAIN_MS = 200;

const SYMBOLS = {
  /** void (*signal(int signum, void (*handler)(int)))(int) */
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  /** int sigignore(int signum); here only its address is used */
  sigignore: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** SIGUSR1, which cannot open the debugger any more. */
export class DebuggerSignal {
  /** Arms the kernel's handler; returns whether it was another one before. Null without FFI. */
  readonly #arm: (() => boolean) | null;
  #heard = false;

  /** Takes the signal away from the debugger at once. */
  constructor() {
    if (Deno.build.os !== "windows") {
      Deno.addSignalListener("SIGUSR1", () => {
        this.#heard = true;
        void closeDebugger();
      });
    }
    this.#arm = openHandler();
    if (this.#arm !== null) this.#arm();
    else if (Deno.build.os !== "windows") void occupyPort();
    // It may be open already where all this came late.
    void closeDebugger();
  }

  /** Whether the signal came since the last call. */
  arrived(): boolean {
    const heard = this.#heard;
    this.#heard = false;
    return (this.#arm?.() ?? false) || heard;
  }
}

/** Makes `#arm`; null if the C library cannot be called. */
function openHandler(): (() => boolean) | null {
  if (Deno.build.os !== "linux") return null;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  try {
    const { signal, sigignore } = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    return () => !Deno.UnsafePointer.equals(signal(SIGUSR1, sigignore), sigignore);
  } catch {
    // No glibc.
    return null;
  }
}

/**
 * Without FFI: whoever has the port keeps the debugger from it. Connections are closed at once.
 *
 * While another process has the port, the debugger cannot have it either; the port is tried again
 * until this process has it.
 */
async function occupyPort(): Promise<void> {
  const host = `${DEBUGGER.hostname}:${DEBUGGER.port}`;
  if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") return;
  let listener: Deno.Listener | null = null;
  for (;;) {
    try {
      listener ??= Deno.listen(DEBUGGER);
      (await listener.accept()).close();
    } catch {
      // In use, or no descriptors are left.
      await new Promise((resolve) => setTimeout(resolve, OCCUPY_AGAIN_MS));
    }
  }
}

/** Closes the debugger if it is open, with every connection to it. */
async function closeDebugger(): Promise<void> {
  if (Deno.permissions.querySync({ name: "sys" }).state !== "granted") return;
  const inspector = await import("node:inspector");
  inspector.close();
  Deno.unrefTimer(setTimeout(() => inspector.close(), CLOSE_AGAIN_MS));
}
