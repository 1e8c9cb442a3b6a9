import { httpAddressText, parseHttpAddress } from "../../plugins/http_address.ts";
import { type Command, commandHelp, usageText } from "../command.ts";
import { HELP_FLAG } from "../flags.ts";
import type { Output } from "../output.ts";

/** Where `health` listens unless told otherwise. */
const DEFAULT = "http://127.0.0.1:8080/health";
/** Longer than the answer may take where the data plane is silent. */
const LIMIT_MS = 3000;

/** Description of `nodens healthcheck`. */
export const HEALTHCHECK: Command = {
  name: "healthcheck",
  summary: "exit 0 where /health says OK, else 1",
  forms: [{ args: "[URL|ADDRESS]", summary: `(default ${DEFAULT})` }],
  flags: [HELP_FLAG],
  operands: [{ name: "[URL|ADDRESS]" }],
  exitCodes: [
    [0, "it says OK"],
    [1, "it does not, or nobody answers"],
    [2, "a command line that cannot be understood"],
  ],
};

/**
 * `nodens healthcheck [URL|ADDRESS]`: asks a health endpoint and says in one line what came of it,
 * for containers without curl. Exit code 0 where it says OK, 1 where it does not, 2 for a wrong call.
 */
export async function runHealthcheck(args: readonly string[], output: Output): Promise<number> {
  const [target = DEFAULT, more] = args;
  if (/^--?h(elp)?$/.test(target)) {
    output.out(commandHelp(HEALTHCHECK));
    return 0;
  }
  const url = toUrl(target);
  if (url === null || more !== undefined) {
    const what = url === null
      ? `"${target}" is neither a URL nor an address (HOST:PORT)`
      : `"${more}" is one argument too many`;
    output.err(`nodens: ${what}\n${usageText(HEALTHCHECK)}`);
    return 2;
  }
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS), redirect: "error" });
    status = response.status;
    text = (await response.text()).trim().replaceAll(/\s+/g, " ").slice(0, 300);
  } catch (error) {
    const why = (error as Error).name === "TimeoutError"
      ? `no answer within ${LIMIT_MS / 1000} s`
      : reason(error as Error);
    output.out(`${url}: ${why}\n`);
    return 1;
  }
  output.out(`${url}: ${status} ${text}\n`);
  return status === 200 ? 0 : 1;
}

function toUrl(target: string): string | null {
  if (/^https?:\/\//.test(target)) return URL.canParse(target) ? target : null;
  const address = parseHttpAddress(target);
  if (address === null || address.port === 0) return null;
  const host = address.host === "" ? "127.0.0.1" : address.host;
  return `http://${httpAddressText({ ...address, host })}/health`;
}

/** The innermost cause: fetch wraps what happened into what it was doing. */
function reason(error: Error): string {
  let innermost = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const text = innermost.message.replace(/ \(os error \d+\).*$/, "");
  return text.slice(text.lastIndexOf(": ") + 1).trim();
}
