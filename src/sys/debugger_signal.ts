/**
 * Keeps V8's debugger closed. Must run before anything else. On SIGUSR1 `deno run` (2.9.2 and
 * later, from 500 ms after the start) opens the inspector on 127.0.0.1:9229, where any local user
 * can run code as this process. No option, listener or mask prevents that; compiled programs are
 * not affected. Deno installs the kernel's handler once, for the first listener. This adds a
 * listener, then sets the C library's `sigignore` (safe in a handler) as handler. `arrived` detects
 * its use and reinstalls it.
 */
import { systemClock } from "../base/clock.ts";

const SIGUSR1 = 10;
const DEBUGGER = { hostname: "127.0.0.1", port: 9229 } as const;
/** Deno may open the debugger after the listener ran. */
const CLOSE_AGAIN_MS = 100;
const OCCUPY_AGAIN_MS = 200;
/** Since the start; before, Deno does not open it (500 ms in 2.9.6). */
const EARLIEST_MS = 400;

const SYMBOLS = {
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  sigignore: { type: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Handler of SIGUSR1 that prevents the debugger. */
export class DebuggerSignal {
  /** Returns whether the handler had been replaced. Null without FFI. */
  readonly #arm: (() => boolean) | null;
  #heard = false;

  constructor() {
    const hasSignals = Deno.build.os !== "windows";
    if (hasSignals) {
      Deno.addSignalListener("SIGUSR1", () => {
        this.#heard = true;
        void closeDebugger();
      });
    }
    this.#arm = openHandler();
    if (this.#arm !== null) this.#arm();
    else if (hasSignals) void occupyPort();
    // It may be open. Closing costs 5 ms.
    if (performance.now() > EARLIEST_MS) void closeDebugger();
  }

  /** Whether the signal came since the last call. */
  arrived(): boolean {
    const heard = this.#heard;
    this.#heard = false;
    return (this.#arm?.() ?? false) || heard;
  }
}

function openHandler(): (() => boolean) | null {
  if (Deno.build.os !== "linux" || !isGranted({ name: "ffi" })) return null;
  try {
    const { signal, sigignore } = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    return () => !Deno.UnsafePointer.equals(signal(SIGUSR1, sigignore), sigignore);
  } catch {
    return null;
  }
}

/** Without FFI, occupies the debugger's port. */
async function occupyPort(): Promise<void> {
  const host = `${DEBUGGER.hostname}:${DEBUGGER.port}`;
  if (!isGranted({ name: "net", host })) return;
  let listener: Deno.Listener | null = null;
  for (;;) {
    try {
      listener ??= Deno.listen(DEBUGGER);
      (await listener.accept()).close();
    } catch {
      await systemClock.sleep(OCCUPY_AGAIN_MS);
    }
  }
}

async function closeDebugger(): Promise<void> {
  // Compiled programs do not open it.
  if (Deno.build.standalone || !isGranted({ name: "sys" })) return;
  const inspector = await import("node:inspector");
  inspector.close();
  Deno.unrefTimer(setTimeout(() => inspector.close(), CLOSE_AGAIN_MS));
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
