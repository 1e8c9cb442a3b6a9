import { missing } from "../run/require.ts";

const GO_PATH = "/usr/share/gocode";
const LIBRARY = `${GO_PATH}/src/github.com/miekg/dns`;

/** Reasons why programs of `go/` cannot be built here; none in CI. */
export function goReasons(): string[] {
  // A library is found by one of its files.
  return [...missing(["go"]), ...missing([`${LIBRARY}/server.go`])];
}

const built = new Map<string, string>();

/** Builds a program of `go/` once, into a folder that lasts for this test file's run. */
export function buildGo(name: string): string {
  const before = built.get(name);
  if (before !== undefined) return before;
  const directory = Deno.makeTempDirSync({ prefix: "nodens_go_" });
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  const program = `${directory}/${name}`;
  const source = new URL(`./go/${name}.go`, import.meta.url).pathname;
  const { success, stderr } = new Deno.Command("go", {
    args: ["build", "-o", program, source],
    env: {
      GO111MODULE: "off",
      GOPATH: GO_PATH,
      // Without a home for compiled files.
      ...Deno.env.has("HOME") ? {} : { GOCACHE: `${Deno.env.get("TMPDIR") ?? "/tmp"}/go-build` },
    },
  }).outputSync();
  if (!success) throw new Error(`Cannot build "${source}":\n${new TextDecoder().decode(stderr)}`);
  built.set(name, program);
  return program;
}
