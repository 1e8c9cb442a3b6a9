import type { Status } from "../../control/endpoints/status.ts";
import { type Command, commandHelp, usageLines, usageText } from "../command.ts";
import { type Flag, FlagError, HELP_FLAG, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { statusText } from "./text.ts";

const FLAGS: readonly Flag[] = [
  { name: "json", kind: "boolean", default: false, help: "print what the server sent" },
  { name: "timeout", kind: "number", value: "SECONDS", default: 5, help: "seconds to wait" },
  HELP_FLAG,
];

/** Description of `nodens status`. */
export const STATUS: Command = {
  name: "status",
  summary: "show how a running nodens is: caches, upstreams, reloads",
  forms: [{ args: "[--json] [-timeout SECONDS] [ADDRESS]" }],
  description: [
    "ADDRESS is where it serves metrics, localhost:9153 unless another is given.",
  ],
  flags: FLAGS,
  operands: [{ name: "[ADDRESS]" }],
  exitCodes: [
    [0, "a status"],
    [1, "none answers there"],
    [2, "a command line that cannot be understood"],
  ],
};
/** Where `prometheus` listens without an address of its own. */
const DEFAULT = { host: "localhost", port: "9153" } as const;
const TIMEOUT_SECONDS = { min: 1, max: 3600 } as const;

/** `nodens status`: 0 with the status of a running nodens, 1 where none answers, 2 for bad usage. */
export async function runStatus(args: readonly string[], output: Output): Promise<number> {
  let asked: StatusArguments | null;
  try {
    asked = readArguments(args);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    output.err(`nodens status: ${error.message}\n${usageText(STATUS)}`);
    return 2;
  }
  if (asked === null) {
    output.out(commandHelp(STATUS));
    return 0;
  }
  const { address, json, timeoutSeconds } = asked;
  try {
    const text = await fetchStatus(address, timeoutSeconds);
    output.out(json ? text : statusText(JSON.parse(text) as Status));
    return 0;
  } catch (error) {
    if (!(error instanceof NoStatusError)) throw error;
    output.err(`nodens status: ${error.message}\n`);
    return 1;
  }
}

/** There is no status to be had; the message says why and what would do. */
class NoStatusError extends Error {}

interface StatusArguments {
  address: string;
  json: boolean;
  timeoutSeconds: number;
}

/** What is asked for; null for help. */
function readArguments(args: readonly string[]): StatusArguments | null {
  const { values, rest } = parseFlags(args, FLAGS);
  if (values["h"] === true) return null;
  const [text = "", ...extra] = rest;
  if (extra.length > 0) throw new FlagError(`it takes one address, but "${extra[0]}" follows`);
  const timeoutSeconds = Number(values["timeout"]);
  if (timeoutSeconds < TIMEOUT_SECONDS.min || timeoutSeconds > TIMEOUT_SECONDS.max) {
    const { min, max } = TIMEOUT_SECONDS;
    throw new FlagError(`flag -timeout: ${timeoutSeconds} is out of range (${min} to ${max})`);
  }
  return { address: readAddress(text), json: values["json"] === true, timeoutSeconds };
}

/** `HOST`, `HOST:PORT`, `:PORT`, `[IPV6]:PORT` or a URL of these, as `HOST:PORT`. */
function readAddress(text: string): string {
  const bare = text.replace(/^http:\/\//, "").replace(/\/(status)?$/, "");
  const match = /^(\[[0-9a-fA-F:.%]+\]|[^:/\[\]\s]*)(?::([0-9]{1,5}))?$/.exec(bare);
  const port = match?.[2] ?? DEFAULT.port;
  if (match === null || Number(port) < 1 || Number(port) > 65535) {
    throw new FlagError(`"${text}" is no address (write localhost:9153 or [::1]:9153)`);
  }
  return `${match[1] || DEFAULT.host}:${port}`;
}

async function fetchStatus(address: string, timeoutSeconds: number): Promise<string> {
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    response = await fetch(`http://${address}/status`, { signal, redirect: "error" });
    text = await response.text();
  } catch (error) {
    if ((error as Error).name === "TimeoutError") {
      throw new NoStatusError(`${address} has not answered within ${timeoutSeconds} s`);
    }
    throw new NoStatusError(
      `cannot get http://${address}/status: ${reason(error)} (nodens serves it where its` +
        ` Corefile says "prometheus"; name that address if it is another: ${usageLines(STATUS)})`,
    );
  }
  if (response.status === 404) {
    throw new NoStatusError(
      `${address} has no /status for this machine: nodens shows it on its own loopback interface` +
        ` alone (run it there, as in "kubectl exec POD -- nodens status"), and other programs not` +
        ` at all`,
    );
  }
  if (!response.ok) {
    throw new NoStatusError(
      `${address} answers ${response.status} to /status: that is no nodens, or an older one`,
    );
  }
  try {
    if ((JSON.parse(text) as Status).blocks !== undefined) return text;
  } catch {
    // Said below.
  }
  throw new NoStatusError(`${address} answers, but not with a status: that is no nodens`);
}

/** Why there was no response, without the layers that wrap it. */
function reason(error: unknown): string {
  const text = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
  if (/refused/i.test(text)) return "nothing listens there";
  if (/dns error|failed to lookup|name or service/i.test(text)) return "the host name is unknown";
  return error instanceof Error ? error.message : String(error);
}
