import { httpAddressText, literalHost, parseHttpAddress } from "../../plugins/http_address.ts";
import { FlagError } from "../flags.ts";
import type { Output } from "../output.ts";

/** Longer than the answer may take where the data plane is silent. */
const LIMIT_MS = 3000;

/**
 * `nodens healthcheck URL|ADDRESS`: asks a health endpoint and prints the result in one line, for
 * containers without curl. Returns 0 if the endpoint says OK, else 1. Throws `FlagError`.
 */
export async function runHealthcheck(args: readonly string[], output: Output): Promise<number> {
  const [target = "", more] = args;
  const url = toUrl(target);
  if (url === null) throw new FlagError(`"${target}" is neither a URL nor an address (HOST:PORT)`);
  if (more !== undefined) throw new FlagError(`"${more}" is one argument too many`);
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
  const host = address.host === "" ? "127.0.0.1" : literalHost(address.host);
  return `http://${httpAddressText({ ...address, host })}/health`;
}

/** The innermost cause: fetch wraps what happened into what it was doing. */
function reason(error: Error): string {
  let innermost = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const text = innermost.message.replace(/ \(os error \d+\).*$/, "");
  return text.slice(text.lastIndexOf(": ") + 1).trim();
}
