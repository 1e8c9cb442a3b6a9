import { type Command, command, USAGE_EXIT } from "./command.ts";
import { DOCTOR_FLAGS } from "./doctor/options.ts";
import { boolean, HELP_FLAG, number, port, text } from "./flags.ts";
import { MANIFEST_FLAGS } from "./manifest/args.ts";
import { OPERATOR_COMMANDS } from "./operator/command.ts";
import { PORT_FLAG, QUERY_OPTIONS } from "./query/args.ts";
import { REDIRECT } from "./redirect/command.ts";
import { SERVE } from "./serve/command.ts";

const PRINTED = [[0, "printed"], USAGE_EXIT] as const;
const HELP_ALONE = { h: HELP_FLAG };

const OTHERS: readonly Command[] = [
  command({
    name: "check",
    summary: "report every fault of a Corefile, and describe it",
    forms: [{ args: "[--json] [-strict] [-dns.port PORT] FILE" }],
    flags: {
      json: boolean("print the configuration as JSON"),
      strict: boolean("exit with 1 for a warning as well"),
      "dns.port": port(53, "default port", "p"),
      h: HELP_FLAG,
    },
    operands: [{ name: "FILE" }],
    exitCodes: [
      [0, "no fault; with -strict no warning either"],
      [1, "faults, each with its line, or an unreadable file"],
      USAGE_EXIT,
    ],
    load: () => import("./check/check.ts"),
  }),
  command({
    name: "query",
    summary: "ask a server, and print the response as dig does",
    forms: [{ args: "NAME [TYPE] [@SERVER] [-p PORT] [-x ADDRESS] [+OPTION...]" }],
    description: [
      "SERVER is an address or a host name; without one, the first of /etc/resolv.conf is asked.",
    ],
    flags: {
      p: PORT_FLAG,
      x: text("ADDRESS", "ask for the name of this address instead"),
      h: HELP_FLAG,
    },
    ownSyntax: true,
    plusOptions: QUERY_OPTIONS,
    operands: [{ name: "NAME" }, {
      name: "[TYPE]",
      values: ["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "TXT"],
    }],
    exitCodes: [
      [0, "a response of any code"],
      [1, "a wrong command line"],
      [9, "no response"],
      [10, "the server's name does not resolve, or its response cannot be read"],
    ],
    usageCode: 1,
    load: () => import("./query/query.ts"),
  }),
  command({
    name: "status",
    summary: "show the state of a running nodens: caches, upstreams, reloads",
    forms: [{ args: "[--json] [-timeout SECONDS] [ADDRESS]" }],
    description: ["ADDRESS is where it serves metrics, localhost:9153 unless another is given."],
    flags: {
      json: boolean("print what the server sent"),
      timeout: number("SECONDS", 5, "seconds to wait", { min: 1, max: 3600 }),
      h: HELP_FLAG,
    },
    operands: [{ name: "[ADDRESS]" }],
    exitCodes: [[0, "a status"], [1, "none answers there"], USAGE_EXIT],
    load: () => import("./status/status.ts"),
  }),
  ...OPERATOR_COMMANDS,
  command({
    name: "doctor",
    summary: "examine whether nodens works on this node, or would",
    forms: [{ args: "[--json] [--pod] [-inherit FILE] [FLAGS of nodens]" }],
    description: ["Give it the flags of nodens, and it examines the machine for them."],
    flags: DOCTOR_FLAGS,
    hiddenFlags: [
      ...["quiet", "log-format", "log-time", "pidfile", "plugins", "version", "workers", "io"],
    ],
    exitCodes: [[0, "no problem"], [1, "problems, each with a remedy"], USAGE_EXIT],
    load: () => import("./doctor/doctor.ts"),
  }),
  command({
    name: "healthcheck",
    summary: "exit 0 if /health says OK, else 1",
    forms: [{ args: "[URL|ADDRESS]", summary: "(default http://127.0.0.1:8080/health)" }],
    flags: { h: HELP_FLAG },
    operands: [{ name: "[URL|ADDRESS]" }],
    exitCodes: [[0, "it says OK"], [1, "it does not, or nothing answers"], USAGE_EXIT],
    load: () => import("./healthcheck/healthcheck.ts"),
  }),
  REDIRECT,
  command({
    name: "manifest",
    summary: "print a manifest for Kubernetes",
    forms: [
      { args: "-kubedns ADDRESS [FLAGS]", summary: "print a manifest for Kubernetes" },
      { args: "-from FILE [FLAGS]", summary: "fill the one that Kubernetes publishes" },
      { args: "-check FILE [FLAGS]", summary: "find the faults of one" },
      { args: "-inherit FILE …", summary: "with what CoreDNS is configured to add" },
    ],
    flags: MANIFEST_FLAGS,
    exitCodes: [
      [0, "printed, or no fault found"],
      [1, "a manifest has faults, and nothing is printed"],
      [2, "a wrong flag"],
    ],
    load: () => import("./manifest/manifest.ts"),
  }),
  command({
    name: "completion",
    summary: "print a completion script for a shell",
    forms: [{ args: "bash|zsh|fish" }],
    flags: HELP_ALONE,
    operands: [{ name: "SHELL", values: ["bash", "zsh", "fish"] }],
    exitCodes: PRINTED,
    load: () => import("./shell/scripts.ts"),
  }),
  command({
    name: "man",
    summary: "print the manual page (mdoc)",
    forms: [{ args: "" }],
    flags: HELP_ALONE,
    exitCodes: PRINTED,
    load: () => import("./shell/man.ts"),
  }),
];

const HELP = command({
  name: "help",
  summary: "print help, or that of a command",
  forms: [{ args: "[COMMAND]" }],
  flags: HELP_ALONE,
  operands: [{ name: "[COMMAND]", values: [...OTHERS.map(({ name }) => name), "help"] }],
  exitCodes: PRINTED,
  load: () => import("./shell/help.ts"),
});

/** Serving, then the others in the order of the help. */
export const COMMANDS: readonly Command[] = [SERVE, ...OTHERS, HELP];

/** `nodens __complete WORD...`, which completion scripts call; not in the help. */
export const COMPLETE = command({
  name: "__complete",
  summary: "print the words that may stand in the place of the last one",
  forms: [{ args: "WORD..." }],
  flags: {},
  ownSyntax: true,
  exitCodes: PRINTED,
  load: () => import("./shell/complete.ts"),
});
