import type { ServerKind } from "./server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * nodens from source, or the command given (a compiled executable, say).
 *
 * @param forward - lines for the block of `forward`
 */
export function nodens(command: string | undefined, forward: readonly string[] = []): ServerKind {
  const words = command?.split(/\s+/).filter((word) => word !== "") ??
    [Deno.execPath(), "run", "-A", `${ROOT}main.ts`];
  return {
    name: "nodens",
    binary: words[0] ?? "",
    caches: true,
    peer: false,
    prepare({ port, upstreams, directory, capacity }) {
      const file = `${directory}/Corefile`;
      Deno.writeTextFileSync(
        file,
        `.:${port} {
  bind 127.0.0.1
  errors
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
