import { type LaneClient, LanePair, type LaneTarget } from "../../support/engine/lane.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { skipUnless } from "../../support/run/require.ts";
import { type Authority, makeAuthority } from "../../support/servers/certificates.ts";
import {
  startHttp,
  startTcp,
  startTls,
  type TestServer,
} from "../../support/servers/tls_servers.ts";

/** The name that certificates are verified for. */
export const NAME = "DNS:dns.example.org";
/** A query for www.example.org. */
export const QUERY = queryBytes({ name: "www.example.org" });

/** Answers any query. */
export function answer(bytes: Uint8Array): Uint8Array {
  const query = decode(bytes);
  return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
}

type TlsUse = Parameters<typeof startTls>[1];
type More = Partial<LaneTarget>;

/** A lane, and upstreams whose certificates have one authority. All are closed at the end. */
export class Scene {
  readonly authority = makeAuthority();
  readonly pair: LanePair;
  readonly #authorities: Authority[] = [this.authority];
  readonly #servers: TestServer[] = [];

  constructor(options?: ConstructorParameters<typeof LanePair>[0]) {
    this.pair = new LanePair(options);
  }

  stranger(): Authority {
    const stranger = makeAuthority("somebody else");
    this.#authorities.push(stranger);
    return stranger;
  }

  startTls(
    use: TlsUse,
    names = NAME,
    dates?: Parameters<Authority["issue"]>[1],
  ): Promise<TestServer> {
    return this.#add(startTls(this.authority.issue(names, dates), use));
  }

  startHttp(use: Parameters<typeof startHttp>[1]): Promise<TestServer> {
    return this.#add(startHttp(this.authority.issue(NAME), use));
  }

  startTcp(use: Parameters<typeof startTcp>[0]): Promise<TestServer> {
    return this.#add(startTcp(use));
  }

  open({ port }: TestServer, more: More = {}): LaneClient {
    return this.pair.open({ port, caFile: this.authority.caFile, ...more });
  }

  /** Opens a stream that must fail; returns the reason. */
  refusal({ port }: TestServer, more: More = {}): Promise<string> {
    return this.pair.refusal({ port, caFile: this.authority.caFile, ...more });
  }

  async close(): Promise<void> {
    this.pair.close();
    await Promise.all(this.#servers.map((server) => server.close()));
    for (const authority of this.#authorities) authority.remove();
  }

  async #add(starting: Promise<TestServer>): Promise<TestServer> {
    const server = await starting;
    this.#servers.push(server);
    return server;
  }
}

/** Runs tests with a scene. */
export function scenes(prefix: string) {
  return (
    name: string,
    work: (scene: Scene) => Promise<void>,
    options?: ConstructorParameters<typeof Scene>[0],
  ): void =>
    Deno.test({
      name: `${prefix}: ${name}`,
      ...skipUnless("openssl"),
      // Sockets of node:tls are released shortly after their close event.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const scene = new Scene(options);
        try {
          await work(scene);
        } finally {
          await scene.close();
        }
      },
    });
}
