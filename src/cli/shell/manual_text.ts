export const DATE = "November 25, 2026";

export const DESCRIPTION: readonly string[] = [
  "nodens is a DNS cache for every node. It reads CoreDNS's configuration, the Corefile, answers from" +
  " memory, forwards the rest, and refreshes popular names before they expire.",
  "Without a command it serves until a signal ends it.",
];

type Meanings = Readonly<Record<string, string>>;

export const SIGNALS: Meanings = {
  "SIGHUP, SIGUSR1":
    "Read the Corefile again; one with faults changes nothing. SIGUSR1 may take half a second to" +
    " be noticed.",
  "SIGTERM, SIGINT": "Stop in order. A second one hurries, a third ends the process at once.",
  SIGQUIT: "Print the state, then stop in order.",
};

export const ENVIRONMENT: Meanings = {
  DENO_DIR: "Folder of the runtime; it or HOME has to be set. Nothing is stored there.",
  LISTEN_FDS: "Sockets that systemd has opened, with LISTEN_PID and LISTEN_FDNAMES.",
  NOTIFY_SOCKET: "Where nodens tells systemd that it is ready, reloads or stops.",
  WATCHDOG_USEC: "Time within which systemd expects a sign of life from the data planes.",
  JOURNAL_STREAM: "If it names the standard output, lines of the log begin with their priority.",
  NO_COLOR: "No colours in messages of the runtime.",
};

export const FILES: Meanings = {
  Corefile: "Served if no flag names another file.",
  "/etc/nodens/Corefile": "Served by the systemd service.",
  "/etc/resolv.conf": "Servers of the host, for query, and for a forward that names the file.",
};

export const EXAMPLES: readonly (readonly [example: string, meaning: string])[] = [
  [
    "nodens -conf Corefile -p 1053",
    "Serve a Corefile, with 1053 as the port of blocks that name none",
  ],
  ["nodens check Corefile", "Look for faults in it"],
  [
    "nodens query example.org MX @127.0.0.1 -p 1053 +short",
    "Ask the server that was started above",
  ],
  [
    "nodens redirect install -n -to 169.254.20.10",
    "Print the commands that send the host's queries to nodens",
  ],
];
