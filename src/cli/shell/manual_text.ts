/** What the manual page says besides commands and flags. */

/** A thing and what it is for. */
export interface Told {
  readonly name: string;
  readonly meaning: string;
}

/** Day of the last change to what the page says. */
export const DATE = "November 25, 2026";

/** Opening paragraphs. */
export const DESCRIPTION: readonly string[] = [
  "nodens is a DNS cache for every node. It reads a Corefile as CoreDNS has it, answers from" +
  " memory, forwards the rest, and fetches what is popular again before it runs out.",
  "Without a command it serves until a signal ends it.",
];

/** Signals to a nodens that serves. */
export const SIGNALS: readonly Told[] = [
  {
    name: "SIGHUP, SIGUSR1",
    meaning: "Read the Corefile again; one with faults changes nothing. SIGUSR1 may take half a" +
      " second to be noticed.",
  },
  {
    name: "SIGTERM, SIGINT",
    meaning: "Stop in order. A second one hurries, a third ends the process at once.",
  },
  { name: "SIGQUIT", meaning: "Print the state, then stop in order." },
];

/** Environment variables. */
export const ENVIRONMENT: readonly Told[] = [
  {
    name: "DENO_DIR",
    meaning: "Folder of the runtime; it or HOME has to be set. Nothing is kept there.",
  },
  {
    name: "LISTEN_FDS",
    meaning: "Sockets that systemd has opened, with LISTEN_PID and LISTEN_FDNAMES.",
  },
  {
    name: "NOTIFY_SOCKET",
    meaning: "Where systemd is told that nodens is ready, reloads or stops.",
  },
  {
    name: "WATCHDOG_USEC",
    meaning: "Within which time systemd wants to hear that the data planes answer.",
  },
  {
    name: "JOURNAL_STREAM",
    meaning: "Where it names the standard output, lines of the log begin with their priority.",
  },
  { name: "NO_COLOR", meaning: "No colours in messages of the runtime." },
];

/** Files. */
export const FILES: readonly Told[] = [
  { name: "Corefile", meaning: "What is served where no flag names another." },
  { name: "/etc/nodens/Corefile", meaning: "What the service of systemd serves." },
  {
    name: "/etc/resolv.conf",
    meaning: "Servers of the host, for query, and for a forward that names the file.",
  },
];

/** Command lines, and what they do. */
export const EXAMPLES: readonly Told[] = [
  {
    name: "nodens -conf Corefile -p 1053",
    meaning: "Serve a Corefile, with 1053 as the port of blocks that name none",
  },
  { name: "nodens check Corefile", meaning: "Look for faults in it" },
  {
    name: "nodens query example.org MX @127.0.0.1 -p 1053 +short",
    meaning: "Ask the server that was started above",
  },
  {
    name: "nodens redirect install -n -to 169.254.20.10",
    meaning: "Print the commands that send the host's queries to nodens",
  },
];
