import type { Certificate } from "./certificates.ts";

/** What a kubelet was asked. */
export interface KubeletRequest {
  readonly path: string;
  readonly method: string;
  readonly token: string;
}

/** Answers `/pods` over TLS with `respond`. */
export function startKubelet(
  certificate: Certificate,
  respond: () => Response | Promise<Response>,
): { port: number; requests: KubeletRequest[]; close(): Promise<void> } {
  const requests: KubeletRequest[] = [];
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: certificate.cert,
    key: certificate.key,
    onListen: () => {},
  }, ({ url, method, headers }) => {
    const token = headers.get("authorization") ?? "";
    requests.push({ path: new URL(url).pathname, method, token });
    return respond();
  });
  return { port: server.addr.port, requests, close: () => server.shutdown() };
}
