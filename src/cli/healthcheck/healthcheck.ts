import { visibleText } from "../../base/visible.ts";
import { httpAddressText, literalHost, parseHttpAddress } from "../../plugins/http_address.ts";
import type { Call, CommandIo } from "../command.ts";
import { FlagError } from "../flags.ts";

const DEFAULT = "http://127.0.0.1:8080/health";
/** Above `health`'s limit. */
const LIMIT_MS = 3000;
const MAX_TEXT = 300;

/** `nodens healthcheck`, for containers without curl. */
export async function run({ rest: [target = DEFAULT] }: Call, { output }: CommandIo) {
  const url = toUrl(target);
  if (url === null) throw new FlagError(`"${target}" is neither a URL nor an address (HOST:PORT)`);
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS), redirect: "error" });
    const text = (await response.text()).trim().replaceAll(/\s+/g, " ").slice(0, MAX_TEXT);
    output.out(`${url}: ${response.status} ${visibleText(text)}\n`);
    return response.status === 200 ? 0 : 1;
  } catch (error) {
    const timedOut = (error as Error).name === "TimeoutError";
    const why = timedOut ? `no answer within ${LIMIT_MS / 1000} s` : reason(error as Error);
    output.out(`${url}: ${why}\n`);
    return 1;
  }
}

function toUrl(target: string): string | null {
  if (/^https?:\/\//.test(target)) return URL.canParse(target) ? target : null;
  const address = parseHttpAddress(target);
  if (address === null || address.port === 0) return null;
  const host = address.host === "" ? "127.0.0.1" : literalHost(address.host);
  return `http://${httpAddressText({ ...address, host })}/health`;
}

/** Innermost cause: fetch wraps errors. */
function reason(error: Error): string {
  let innermost = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const text = innermost.message.replace(/ \(os error \d+\).*$/, "");
  return text.slice(text.lastIndexOf(": ") + 1).trim();
}
