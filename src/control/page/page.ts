import type { Clock } from "../../base/clock.ts";
import { socketOwner } from "../../sys/netlink/socket_owner.ts";
import type { HttpConnection } from "../endpoints/http/connection.ts";
import { type HttpReply, type HttpStream, refusal } from "../endpoints/http/message.ts";
import type { ReloadStatus } from "../endpoints/status.ts";
import type { TopSnapshot } from "../observe/top_snapshot.ts";
import { pageDocument } from "./document/document.ts";
import { type CorefileText, corefileView, pageView } from "./view.ts";
import { MAX_VIEWERS, type Shown, Viewers } from "./viewers.ts";

/** Viewers of names, clients and Corefile: root and own user, or all local users. */
export type PageAudience = "own" | "local";

/** Stands for users outside a user namespace (user_namespaces(7)). */
const OVERFLOW_USER = 65_534;

/** Content of the page. */
export interface PageFacts {
  snapshot: () => Promise<TopSnapshot>;
  reload: () => ReloadStatus | null;
  corefile: () => CorefileText | null;
}

/** `Page` options. */
export interface PageOptions extends PageFacts {
  audience: PageAudience;
  clock: Clock;
  /** Whether the kernel can identify clients. */
  ffi: boolean;
  onFailure: (error: unknown) => void;
}

/** Operator's page and its stream. */
export class Page {
  readonly #options: PageOptions;
  readonly #trusted: Viewers;
  /** Counted apart, so that others cannot exclude the owner. */
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

/** Whether it is root or the own user. 65534 may also be a user unknown here. */
export function mayTrust(user: number | null, own: number | null): boolean {
  return user !== null && (user === 0 || (user === own && user !== OVERFLOW_USER));
}

function userAtOtherEnd({ ends: { local, remote } }: Pick<HttpConnection, "ends">): number | null {
  if (local.transport !== "tcp" || remote.transport !== "tcp") return null;
  return socketOwner(remote, local);
}
