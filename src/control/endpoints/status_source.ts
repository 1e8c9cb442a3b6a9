import type { Config } from "../../config/types.ts";
import { statusRequest } from "../../plugins/statuses.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { HttpReply } from "./http/message.ts";
import { Recent } from "./http/recent.ts";
import { makeStatus, placeKey, type PlaneFacts, type ReloadStatus, type Status } from "./status.ts";

/** Time for a data plane to answer; it should take microseconds. */
const ASK_MS = 500;
/** The data planes are asked at most so often, however many ask for `/status`. */
const ASK_AGAIN_MS = 100;

/** What stays the same as long as the process runs. */
export interface StatusOptions {
  version: string;
  driver: string;
  planes: readonly DataPlane[];
  /** Counts the lines that the log has lost in the control plane. */
  logger: { readonly droppedLines: number };
}

/** Gathers the status of the running nodens; each call asks the data planes once. */
export class StatusSource {
  #config: Config;
  #reload: ReloadStatus | null = null;
  readonly #options: StatusOptions;
  readonly #startedMs = Date.now();
  readonly #answer = new Recent(ASK_AGAIN_MS, () => this.#respond());

  constructor(config: Config, options: StatusOptions) {
    this.#config = config;
    this.#options = options;
  }

  /** What is served now. */
  set config(config: Config) {
    this.#config = config;
    this.#answer.drop();
  }

  /** How the last reload went. */
  set reload(reload: ReloadStatus) {
    this.#reload = reload;
    this.#answer.drop();
  }

  /** The status as it is now. Never rejects: who does not answer is shown so. */
  async collect(): Promise<Status> {
    const { version, driver, planes, logger } = this.#options;
    const [config, reload] = [this.#config, this.#reload];
    const facts = await Promise.all(planes.map((plane) => this.#planeFacts(plane, config)));
    return makeStatus({
      version,
      driver,
      pid: Deno.pid,
      startedMs: this.#startedMs,
      nowMs: Date.now(),
      config,
      planes: facts,
      droppedLogLines: logger.droppedLines,
      reload,
    });
  }

  /** The answer to a request for `/status`, a tenth of a second old at most. What a refused Corefile says is for the log alone. */
  respond(): Promise<HttpReply> {
    return this.#answer.get();
  }

  async #respond(): Promise<HttpReply> {
    const status = await this.collect();
    const { reload } = status;
    if (reload !== null) status.reload = { ...reload, faults: reload.faults.map(placeOfFault) };
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return { status: 200, headers, body: encode(`${JSON.stringify(status)}\n`) };
  }

  async #planeFacts(plane: DataPlane, config: Config): Promise<PlaneFacts> {
    const asked = config.blocks.flatMap(({ plugins }, block) =>
      plugins.flatMap(({ name }, position) => {
        const request = statusRequest(name);
        return request === undefined ? [] : [{ block, position, request }];
      })
    );
    // Without any, a handler that does not exist: what matters then is that the data plane answers.
    if (asked.length === 0) asked.push({ block: config.blocks.length, position: 0, request: null });
    const answers = await Promise.all(asked.map(async ({ block, position, request }) => {
      const answer = await plane.ask({ block, position, request }, ASK_MS);
      return [placeKey(block, position), answer] as const;
    })).then((entries) => new Map<string, unknown>(entries), () => null);
    const { values, places, heartbeatAgeMs, restarts } = plane;
    return { values, places, heartbeatAgeMs, restarts, answers };
  }
}

/** Once for all that share it. */
function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Where a fault is, without its text, which may quote any file that was imported by mistake. */
function placeOfFault(fault: string): string {
  const place = /^([^\s:]+:\d+): /.exec(fault)?.[1];
  return `${place ?? "the new Corefile"}: the log says what is wrong`;
}
