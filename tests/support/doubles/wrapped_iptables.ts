/** Faulty behaviours of an iptables command. */
export type Misbehaviour =
  | "hangs"
  /** Works, and leaves a child that holds its pipes. */
  | "leaves a child"
  /** Fails with a temporary error. */
  | "fails"
  /** Reports the kernel's error for a missing `-m recent`. */
  | "lacks recent";

/** Commands that can misbehave. */
export type WrappedCommand = `iptables-${"nft" | "legacy"}-${"save" | "restore"}`;

const COMMANDS: readonly WrappedCommand[] = ["nft", "legacy"].flatMap((backend) =>
  (["save", "restore"] as const).map((what) =>
    `iptables-${backend as "nft" | "legacy"}-${what}` as const
  )
);

const SCRIPT = (command: string, real: string, mode: string) =>
  `#!/bin/sh
real() { exec "${real}" "$@"; }
case "$(cat "${mode}" 2>/dev/null)" in
hangs) exec sleep 1000 ;;
"leaves a child") sleep 1000 & real "$@" ;;
fails) echo "${command}: line 3: Resource temporarily unavailable" >&2; exit 4 ;;
"lacks recent")
  input=$(cat)
  case $input in *"-m recent"*)
    echo "Warning: Extension recent revision 0 not supported, missing kernel module?" >&2
    echo "${command}: line 3: RULE_INSERT failed (No such file or directory)" >&2
    exit 4 ;;
  esac
  printf '%s\\n' "$input" | "${real}" "$@" ;;
*) real "$@" ;;
esac
`;

/** The machine's iptables behind scripts that misbehave on request. */
export class WrappedIptables {
  readonly #directory: string;

  constructor() {
    const directory = Deno.makeTempDirSync({ prefix: "nodens_wrapped_" });
    this.#directory = directory;
    for (const command of COMMANDS) {
      const { stdout } = new Deno.Command("sh", { args: ["-c", `command -v ${command}`] })
        .outputSync();
      const real = new TextDecoder().decode(stdout).trim();
      const text = SCRIPT(command, real, `${directory}/${command}.mode`);
      Deno.writeTextFileSync(`${directory}/${command}`, text, { mode: 0o755 });
    }
  }

  /** A PATH that starts with the scripts. */
  get path(): string {
    return `${this.#directory}:${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
  }

  become(command: WrappedCommand, what: Misbehaviour | null): void {
    Deno.writeTextFileSync(`${this.#directory}/${command}.mode`, what ?? "");
  }

  remove(): void {
    Deno.removeSync(this.#directory, { recursive: true });
  }
}
