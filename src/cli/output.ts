/** Output of commands. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** Whether nobody reads standard output any more; endless output must then end. */
  isClosed?(): boolean;
}

let isClosed = false;

/** Standard output and error, written whole. */
export const processOutput: Output = {
  out(text) {
    if (!writeAll(Deno.stdout, text)) isClosed = true;
  },
  err: (text) => void writeAll(Deno.stderr, text),
  isClosed: () => isClosed,
};

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
    return true;
  } catch {
    // The reader has closed the pipe.
    return false;
  }
}
