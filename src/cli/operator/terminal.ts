import type { ScreenSize } from "./top_text.ts";

/** Alternate screen without a cursor (xterm's control sequences). */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

const DEFAULT_SIZE: ScreenSize = { columns: 80, rows: 24 };
const END_KEYS: readonly number[] = [..."qQ\x03\x04"].map((key) => key.charCodeAt(0));

/** Terminal that is redrawn until q is pressed. */
export interface Screen {
  readonly size: ScreenSize;
  draw(lines: readonly string[]): void;
  readonly ended: Promise<void>;
  close(): void;
}

/** Access to the terminal. */
export interface TerminalIo {
  size(): ScreenSize;
  write(text: string): void;
  setRaw(raw: boolean): void;
  /** Next keys; null at the end. */
  read(): Promise<Uint8Array | null>;
  onSignal(end: () => void): () => void;
}

/** Takes over a terminal. Raw keys: Ctrl-C ends it in order. */
export function openScreen(io: TerminalIo): Screen {
  const ended = Promise.withResolvers<void>();
  const ignore = io.onSignal(ended.resolve);
  io.setRaw(true);
  io.write(ENTER);
  void readKeys(io).then(ended.resolve, ended.resolve);
  return {
    get size() {
      return io.size();
    },
    draw(lines) {
      const text = lines.map((line) => `${line}${CLEAR_LINE}`).join("\r\n");
      io.write(`${HOME}${text}${CLEAR_REST}`);
    },
    ended: ended.promise,
    close() {
      io.write(LEAVE);
      io.setRaw(false);
      ignore();
    },
  };
}

async function readKeys(io: TerminalIo): Promise<void> {
  for (;;) {
    const keys = await io.read();
    if (keys === null || keys.some((key) => END_KEYS.includes(key))) return;
  }
}

/** This process's terminal, or null. */
export function processTerminal(): TerminalIo | null {
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return null;
  const buffer = new Uint8Array(64);
  return {
    size() {
      try {
        const { columns, rows } = Deno.consoleSize();
        return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
      } catch {
        return DEFAULT_SIZE;
      }
    },
    write(text) {
      const bytes = new TextEncoder().encode(text);
      try {
        for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
      } catch {
        // The terminal has gone.
      }
    },
    setRaw(raw) {
      try {
        Deno.stdin.setRaw(raw);
      } catch {
        // As above.
      }
    },
    async read() {
      const count = await Deno.stdin.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    },
    onSignal(end) {
      const signals: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP"];
      for (const signal of signals) Deno.addSignalListener(signal, end);
      return () => signals.forEach((signal) => Deno.removeSignalListener(signal, end));
    },
  };
}
