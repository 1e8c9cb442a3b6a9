/**
 * Keeps web pages of other sites away from confidential paths, even if their names resolve to a
 * loopback address (DNS rebinding). Judges by headers that pages cannot forge: Host, Origin and
 * Sec-Fetch-Site.
 */
import { parseAddress } from "../../../dns/address.ts";
import { type HttpReply, type HttpRequest, type HttpStream, refusal } from "./message.ts";

const GUARD_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
const NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox";

const HOST = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?$/i;
/** "none": typed by the user. "same-site": another port here. */
const OWN_SITES = ["same-origin", "none"];

/** Refuses requests that another site caused; else null. `local`: over loopback. */
export function refuseForeign(
  { headers }: Pick<HttpRequest, "headers">,
  { local = true }: { local?: boolean } = {},
): HttpReply | null {
  const host = headers.get("host");
  if (local && host !== undefined && !isLocalHost(host)) {
    return refusal(403, "the host must be localhost or a loopback address, such as 127.0.0.1");
  }
  const site = headers.get("sec-fetch-site");
  if (site !== undefined && !OWN_SITES.includes(site)) {
    return refusal(403, "not for other sites; type the address into the browser's address bar");
  }
  const origin = headers.get("origin");
  // Browsers without Sec-Fetch-Site; a sandboxed frame sends "null".
  const own = `http://${host ?? ""}`;
  if (origin !== undefined && origin.toLowerCase() !== own.toLowerCase()) {
    return refusal(403, "not for other sites");
  }
  return null;
}

/** Adds the guarding headers. */
export function guarded<R extends HttpReply | HttpStream>(reply: R): R {
  const headers = {
    ...GUARD_HEADERS,
    "content-security-policy": NO_CONTENT_POLICY,
    ...reply.headers,
  };
  return { ...reply, headers };
}

function isLocalHost(host: string): boolean {
  const [, literal, name = ""] = HOST.exec(host) ?? [];
  // Not 0.0.0.0, which browsers also connect here.
  if (literal !== undefined) return isLoopback(literal);
  return name.toLowerCase() === "localhost" || isLoopback(name);
}

function isLoopback(text: string): boolean {
  const address = parseAddress(text);
  if (address === null) return false;
  return address.length === 4
    ? address[0] === 127
    : address.every((octet, i) => octet === (i === 15 ? 1 : 0));
}
