import type { Clock } from "../../base/clock.ts";
import { socketOwner } from "../../sys/netlink/socket_owner.ts";
import type { HttpConnection } from "../endpoints/http/connection.ts";
import { type HttpReply, type HttpStream, refusal } from "../endpoints/http/message.ts";
import type { ReloadStatus } from "../endpoints/status.ts";
import type { TopSnapshot } from "../observe/top_snapshot.ts";
import { pageDocument } from "./document/document.ts";
import { type CorefileText, corefileView, pageView } from "./view.ts";
import { MAX_VIEWERS, type Shown, Viewers } from "./viewers.ts";

/** Who sees names, clients and the Corefile: root and the own user, or all users of this host. */
export type PageAudience = "own" | "local";

/** All users that a user namespace does not have (user_namespaces(7)). */
const OVERFLOW_USER = 65_534;

/** What the page shows. */
export interface PageFacts {
  snapshot: () => Promise<TopSnapshot>;
  /** Outcome of the last reload. */
  reload: () => ReloadStatus | null;
  /** Null if unknown. */
  corefile: () => CorefileText | null;
}

/** Options of a `Page`. */
export interface PageOptions extends PageFacts {
  audience: PageAudience;
  clock: Clock;
  /** Whether the kernel may be asked who is at the other end of a connection. */
  ffi: boolean;
  onFailure: (error: unknown) => void;
}

/** The operator's page and the stream that feeds it. */
export class Page {
  readonly #options: PageOptions;
  readonly #trusted: Viewers;
  /** Counted apart: others must not keep the owner out. */
  readonly #others: Viewers;
  #document: Promise<HttpReply> | null = null;

  constructor(options: PageOptions) {
    this.#options = options;
    const { clock, onFailure } = options;
    const viewers = (trusted: boolean) =>
      new Viewers({ make: () => this.#show(trusted), clock, onFailure });
    this.#trusted = viewers(true);
    this.#others = viewers(false);
  }

  document(): Promise<HttpReply> {
    return this.#document ??= pageDocument();
  }

  events(connection: Pick<HttpConnection, "ends" | "gone">): HttpReply | HttpStream {
    const viewers = this.#trusts(connection) ? this.#trusted : this.#others;
    const chunks = viewers.join(connection.gone);
    if (chunks === null) {
      return refusal(503, `${MAX_VIEWERS} pages are already open; close one`);
    }
    return { status: 200, headers: { "content-type": "text/event-stream" }, chunks };
  }

  #trusts(connection: Pick<HttpConnection, "ends">): boolean {
    const { audience, ffi } = this.#options;
    if (audience === "local") return true;
    const user = ffi ? userAtOtherEnd(connection) : null;
    return mayTrust(user, Deno.uid());
  }

  async #show(trusted: boolean): Promise<Shown> {
    const { snapshot, reload, corefile } = this.#options;
    const view = pageView(await snapshot(), { reload: reload(), trusted });
    const text = trusted ? corefile() : null;
    return {
      view: { name: "view", data: JSON.stringify(view) },
      seldom: text && { name: "corefile", data: JSON.stringify(corefileView(text)) },
    };
  }
}

/** Whether it is root or the own user. Who runs as nobody cannot tell it from users unknown here. */
export function mayTrust(user: number | null, own: number | null): boolean {
  return user !== null && (user === 0 || (user === own && user !== OVERFLOW_USER));
}

function userAtOtherEnd({ ends: { local, remote } }: Pick<HttpConnection, "ends">): number | null {
  if (local.transport !== "tcp" || remote.transport !== "tcp") return null;
  return socketOwner(remote, local);
}
