/** What the test does with each command of a page. Page and plan must have the same commands. */
export interface PlannedPage {
  path: string;
  needs: readonly string[];
  setup: string;
  /** Replacements in each command, for values chosen by the reader. */
  replace: Readonly<Record<string, string>>;
  steps: readonly Step[];
}

/** A command, and how it is run or why not. */
export type Step =
  | {
    run: string;
    prints?: RegExp;
    code?: number;
    /** The command runs until a later one ends it; this output shows that it is ready. */
    serves?: RegExp;
    /** Shell that runs before, for the reader's editor or other terminal. */
    before?: string;
  }
  | { skip: string; why: string };

/** Commands that only have to succeed. */
export function run(...commands: string[]): Step[] {
  return commands.map((run) => ({ run }));
}

export function skip(why: string, ...commands: string[]): Step[] {
  return commands.map((skip) => ({ skip, why }));
}

/** Starts a server in the background, and waits for conditions; both for at most twenty seconds. */
export const SERVE = `
wait_for() {
  for ((i = 0; i < 200; i++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}
serve() {
  local ready=$1
  log=/tmp/served.$((++served))
  shift
  : >$log
  "$@" >$log 2>&1 &
  server=$!
  for ((i = 0; i < 400; i++)); do
    if grep -qE "$ready" $log; then return 0; fi
    kill -0 $server || break
    sleep 0.05
  done
  cat $log
  return 1
}
# What Ctrl-C in the other terminal does.
interrupt() {
  kill -INT -$server
  wait $server || true
}
`;

/** The network's DNS server, at the address in resolv.conf. */
export const UPSTREAM = `
cat >/tmp/upstream.Corefile <<'END'
.:53 {
    bind 127.0.0.153
    hosts /dev/null {
        192.0.2.80 example.org
        2001:db8::80 example.org
    }
}
END
serve '^nodens [0-9]' nodens -conf /tmp/upstream.Corefile
`;

export const READY = /^nodens [0-9]/m;

export const BOOTED = "tests/units types it in a Debian that systemd has booted";
export const NO_SYSTEMD = "no systemd runs in this sandbox; tests/units boots one";
