/** Names by number (RFC 9460 section 14.3.2, RFC 9461). */
export const SERVICE_KEYS: readonly string[] =
  "mandatory alpn no-default-alpn port ipv4hint ech ipv6hint dohpath".split(" ");
