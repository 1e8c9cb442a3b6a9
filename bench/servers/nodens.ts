import { SOURCE_V8_FLAGS } from "../../release/v8_flags.ts";
import type { ServerKind } from "./server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Offset of the metrics port from the DNS port. */
const METRICS_ABOVE = 1000;

/**
 * nodens from source, or another command.
 *
 * @param forward - lines for the block of `forward`
 * @param bare - without `prometheus`, `errors` and `log`
 */
export function nodens(
  command: string | undefined,
  forward: readonly string[] = [],
  bare = false,
): ServerKind {
  const words = command?.split(/\s+/).filter((word) => word !== "") ??
    [Deno.execPath(), "run", "-A", SOURCE_V8_FLAGS, `${ROOT}main.ts`];
  return {
    name: bare ? "nodens-bare" : "nodens",
    binary: words[0] ?? "",
    caches: true,
    peer: false,
    prepare({ port, address = "127.0.0.1", upstreams, directory, capacity }) {
      const file = `${directory}/Corefile`;
      Deno.writeTextFileSync(
        file,
        `.:${port} {
  bind ${address}
  ${
          bare
            ? ""
            : `prometheus 127.0.0.1:${
              port + METRICS_ABOVE
            }\n  errors\n  log {\n    class error\n  }`
        }
  cache {
    success ${capacity}
    denial 10000
  }
  forward . ${upstreams.map(({ address, port }) => `${address}:${port}`).join(" ")} {
    ${forward.join("\n    ")}
  }
}
`,
      );
      return [...words, "-conf", file];
    },
  };
}
