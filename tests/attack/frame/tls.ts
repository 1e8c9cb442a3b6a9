/** TLS on the stage: certificates, an honest upstream over TLS, and servers of the attacker. */
import * as tls from "node:tls";
import { makeAuthority } from "../../support/servers/certificates.ts";
import { changed } from "./shipped.ts";
import { PLACES } from "./places.ts";

const VARIABLE = "NODENS_ATTACK_CERTIFICATES";
const SERVER_NAME = "dns.example.org";
const OTHER_NAME = "other.example.org";

/** Ports of DNS over TLS and over HTTPS. */
export const TLS_PORT = { dot: 853, https: 443 } as const;

/** Makes the stage's certificates in a folder. */
export function makeCertificates(folder: string): void {
  const authority = makeAuthority();
  try {
    Deno.writeTextFileSync(`${folder}/ca.pem`, authority.ca);
    for (const name of [SERVER_NAME, OTHER_NAME]) {
      const { cert, key } = authority.issue(`DNS:${name}`);
      Deno.writeTextFileSync(`${folder}/${name}.pem`, cert);
      Deno.writeTextFileSync(`${folder}/${name}.key`, key);
    }
  } finally {
    authority.remove();
  }
  Deno.env.set(VARIABLE, folder);
}

/** PEM texts of the right server, or of another; null on a stage without TLS. */
export function certificate(ofAnother = false): { cert: string; key: string } | null {
  const folder = Deno.env.get(VARIABLE);
  if (folder === undefined) return null;
  const base = `${folder}/${ofAnother ? OTHER_NAME : SERVER_NAME}`;
  return { cert: Deno.readTextFileSync(`${base}.pem`), key: Deno.readTextFileSync(`${base}.key`) };
}

/**
 * The manifest's Corefile with the honest upstream over TLS, and another for the attacker's zone.
 */
export function overTls(zone: string, to: string): (corefile: string) => string {
  return (corefile) => {
    const options = `{
        tls ${Deno.env.get(VARIABLE)}/ca.pem
        tls_servername ${SERVER_NAME}
    }`;
    const encrypted = changed(
      corefile,
      `forward . ${PLACES.upstream}`,
      `forward . tls://${PLACES.upstream} ${options}`,
    );
    return `${encrypted}
${zone}:53 {
    errors
    cache 30
    bind ${PLACES.dns} ${PLACES.kubeDns}
    forward . ${to} ${options}
}
`;
  };
}

export function serveTls(
  port: number,
  use: (socket: tls.TLSSocket) => void,
  { ofAnother = false, met = () => {} }: { ofAnother?: boolean; met?: () => void } = {},
): void {
  const options = { ...certificate(ofAnother)!, ALPNProtocols: ["h2", "dot"] };
  const server = tls.createServer(options, (socket) => {
    socket.on("error", () => {});
    use(socket);
  });
  server.on("tlsClientError", () => {});
  server.on("connection", (socket) => {
    met();
    socket.on("error", () => {});
  });
  server.listen(port, PLACES.attacker);
}

/** Sends octets repeatedly until the connection ends. */
export function pour(socket: tls.TLSSocket, bytes: Uint8Array, sent: (size: number) => void): void {
  const more = () => {
    while (socket.writable) {
      sent(bytes.length);
      if (!socket.write(bytes)) return;
    }
  };
  socket.on("drain", more);
  more();
}
