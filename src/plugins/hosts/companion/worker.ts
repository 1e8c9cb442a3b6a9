/** A thread that reads one large hosts file: nothing waits for it, and its end frees memory. */
import { readFailure } from "../../../corefile/read_failure.ts";
import { MAX_HOSTS_BYTES, requireRegular } from "../../../sys/regular_file.ts";
import { buildFromPieces, type HostsBuildRequest, type HostsBuilt } from "./build.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<HostsBuildRequest>) => void) | null;
  postMessage(message: HostsBuilt | "reading", transfer: ArrayBuffer[]): void;
  close(): void;
};

const PROGRESS_MS = 1000;

scope.onmessage = ({ data }) => {
  const built = build(data);
  scope.postMessage(built, built.kind === "table" ? [built.table] : []);
  scope.close();
};

function build(request: HostsBuildRequest): HostsBuilt {
  try {
    requireRegular(Deno.statSync(request.path), MAX_HOSTS_BYTES);
    using file = Deno.openSync(request.path);
    requireRegular(file.statSync(), MAX_HOSTS_BYTES);
    let left = MAX_HOSTS_BYTES;
    let reportedMs = -Infinity;
    return buildFromPieces(request, {
      read(piece) {
        const nowMs = performance.now();
        if (nowMs - reportedMs >= PROGRESS_MS) {
          reportedMs = nowMs;
          scope.postMessage("reading", []);
        }
        let size = 0;
        while (size < piece.length) {
          const count = file.readSync(piece.subarray(size));
          if (count === null) break;
          size += count;
        }
        left -= size;
        if (left < 0) throw new Error(`it is larger than ${MAX_HOSTS_BYTES} bytes`);
        return size;
      },
      rewind() {
        file.seekSync(0, Deno.SeekMode.Start);
        left = MAX_HOSTS_BYTES;
      },
    });
  } catch (error) {
    return { kind: "failed", why: readFailure(error) };
  }
}
