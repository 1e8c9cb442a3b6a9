/**
 * What is done with each command of a page. Every command has to stand here, so that a new one is
 * decided about; and what stands here must be on the page.
 */
export interface PlannedPage {
  path: string;
  /** Programs that its commands need. */
  needs: readonly string[];
  /** Shell that prepares the machine. */
  setup: string;
  /** Text to replace in each command, for what a reader fills in or has. */
  replace: Readonly<Record<string, string>>;
  steps: readonly Step[];
}

/** A command and what becomes of it. */
export type Step =
  | {
    run: string;
    /** What it must print; nothing at all is asked for where this is missing. */
    prints?: RegExp;
    /** 0 unless it is said. */
    code?: number;
    /** Keeps running, until it is ended by a later one; ready when it has printed this. */
    serves?: RegExp;
    /** Shell that runs before it, for what the reader does with an editor or another terminal. */
    before?: string;
  }
  | { skip: string; why: string };

/** Makes what serves run in the background and waits, at most twenty seconds, until it is ready. */
export const SERVE = `
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

/** Who answers for the network: example.org, at the address that resolv.conf names. */
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

/** nodens serves. */
export const READY = /^nodens [0-9]/m;

/** Why a command of systemd's is not run. */
export const NO_SYSTEMD = "no systemd runs in this sandbox; tests/units boots one";
