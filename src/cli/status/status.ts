import { literalHost } from "../../plugins/http_address.ts";
import type { Status } from "../../control/endpoints/status.ts";
import { FlagError, parseFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { STATUS_FLAGS } from "./flags.ts";
import { statusText } from "./text.ts";

/** Where `prometheus` listens without an address of its own. */
const DEFAULT = { host: "localhost", port: "9153" } as const;
const TIMEOUT_SECONDS = { min: 1, max: 3600 } as const;

/**
 * `nodens status`: 0 with the status of a running nodens, 1 if none answers. Throws `FlagError`.
 *
 * @param usage - how to call it
 */
export async function runStatus(
  args: readonly string[],
  output: Output,
  usage: string,
): Promise<number> {
  const { address, json, timeoutSeconds } = readArguments(args);
  try {
    const text = await fetchStatus(address, { timeoutSeconds, usage });
    output.out(json ? text : statusText(JSON.parse(text) as Status));
    return 0;
  } catch (error) {
    if (!(error instanceof NoStatusError)) throw error;
    output.err(`nodens status: ${error.message}\n`);
    return 1;
  }
}

/** There is no status; the message says why and what would help. */
class NoStatusError extends Error {}

interface StatusArguments {
  address: string;
  json: boolean;
  timeoutSeconds: number;
}

function readArguments(args: readonly string[]): StatusArguments {
  const { values, rest } = parseFlags(args, STATUS_FLAGS);
  const [text = "", ...extra] = rest;
  if (extra.length > 0) throw new FlagError(`it takes one address, but "${extra[0]}" follows`);
  const timeoutSeconds = values.timeout;
  if (timeoutSeconds < TIMEOUT_SECONDS.min || timeoutSeconds > TIMEOUT_SECONDS.max) {
    const { min, max } = TIMEOUT_SECONDS;
    throw new FlagError(`flag -timeout: ${timeoutSeconds} is out of range (${min} to ${max})`);
  }
  return { address: readAddress(text), json: values.json, timeoutSeconds };
}

/** `HOST`, `HOST:PORT`, `:PORT`, `[IPV6]:PORT` or a URL of these, as `HOST:PORT`. */
function readAddress(text: string): string {
  const bare = text.replace(/^http:\/\//, "").replace(/\/(status)?$/, "");
  const match = /^(\[[0-9a-fA-F:.%]+\]|[^:/\[\]\s]*)(?::([0-9]{1,5}))?$/.exec(bare);
  const port = match?.[2] ?? DEFAULT.port;
  if (match === null || Number(port) < 1 || Number(port) > 65535) {
    throw new FlagError(`"${text}" is not an address (write localhost:9153 or [::1]:9153)`);
  }
  return `${match[1] || DEFAULT.host}:${port}`;
}

async function fetchStatus(
  address: string,
  { timeoutSeconds, usage }: { timeoutSeconds: number; usage: string },
): Promise<string> {
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    const [host, port] = address.split(/:(?=\d+$)/) as [string, string];
    response = await fetch(`http://${literalHost(host)}:${port}/status`, {
      signal,
      redirect: "error",
    });
    text = await response.text();
  } catch (error) {
    if ((error as Error).name === "TimeoutError") {
      throw new NoStatusError(`${address} has not answered within ${timeoutSeconds} s`);
    }
    throw new NoStatusError(
      `cannot get http://${address}/status: ${reason(error)} (nodens serves it where its` +
        ` Corefile says "prometheus"; name that address if it is another: ${usage})`,
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
      `${address} answers ${response.status} to /status: that is not nodens, or an older one`,
    );
  }
  try {
    if ((JSON.parse(text) as Status).blocks !== undefined) return text;
  } catch {
    // Said below.
  }
  throw new NoStatusError(`${address} answers, but not with a status: that is not nodens`);
}

/** Why there was no response, without the layers that wrap it. */
function reason(error: unknown): string {
  const text = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
  if (/refused/i.test(text)) return "nothing listens there";
  if (/dns error|failed to lookup|name or service/i.test(text)) return "the host name is unknown";
  return error instanceof Error ? error.message : String(error);
}
