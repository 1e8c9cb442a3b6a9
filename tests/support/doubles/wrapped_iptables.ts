/** What a command of iptables does instead of its work. */
export type Misbehaviour =
  /** It never ends. */
  | "hangs"
  /** It does its work, and leaves a child that has its pipes. */
  | "leaves a child"
  /** It fails as for want of something that comes back. */
  | "fails"
  /** It has no `-m recent`, as the kernel would say it. */
  | "lacks recent";

/** The commands that may be told to misbehave. */
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

/** The machine's iptables behind scripts that misbehave when they are told to. */
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

  /** A PATH that has them first. */
  get path(): string {
    return `${this.#directory}:${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
  }

  /** Tells a command what to do from now on; null to do its work. */
  become(command: WrappedCommand, what: Misbehaviour | null): void {
    Deno.writeTextFileSync(`${this.#directory}/${command}.mode`, what ?? "");
  }

  /** Takes the scripts away. */
  remove(): void {
    Deno.removeSync(this.#directory, { recursive: true });
  }
}
