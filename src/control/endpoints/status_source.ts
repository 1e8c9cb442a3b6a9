import type { Clock } from "../../base/clock.ts";
import { visibleJson } from "../../base/visible.ts";
import type { Config } from "../../config/types.ts";
import { KERNEL_HITS_OFF, type KernelHitsStatus } from "../../kernel/status.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { handlerKey } from "../plane/deliveries.ts";
import type { HttpReply } from "./http/message.ts";
import { Recent } from "./http/recent.ts";
import type { PlaneFacts, ReloadStatus, Status } from "./status.ts";

const ASK_MS = 500;
const ASK_AGAIN_MS = 100;

/** Constant facts of the process. */
export interface StatusOptions {
  version: string;
  driver: string;
  planes: readonly DataPlane[];
  logger: { readonly droppedLines: number };
  clock: Clock;
}

/** Collects the running status. */
export class StatusSource {
  /** Replaced once the kernel may answer. */
  kernelHits: () => KernelHitsStatus = () => KERNEL_HITS_OFF;
  #config: Config;
  #reload: ReloadStatus | null = null;
  readonly #options: StatusOptions;
  readonly #startedMs: number;
  readonly #answer: Recent<HttpReply>;

  constructor(config: Config, options: StatusOptions) {
    this.#config = config;
    this.#options = options;
    this.#startedMs = options.clock.wall();
    this.#answer = new Recent(ASK_AGAIN_MS, () => this.#respond(), options.clock);
  }

  set config(config: Config) {
    this.#config = config;
    this.#answer.drop();
  }

  get reload(): ReloadStatus | null {
    return this.#reload;
  }

  set reload(reload: ReloadStatus | null) {
    this.#reload = reload;
    this.#answer.drop();
  }

  /** Never rejects. */
  async collect(): Promise<Status> {
    const { planes, logger, clock } = this.#options;
    const [config, reload] = [this.#config, this.#reload];
    // On demand: serving must start fast.
    const { makeStatus } = await import("./status.ts");
    const facts = await Promise.all(planes.map((plane) => factsOf(plane, config)));
    return makeStatus({
      ...this.#options,
      pid: Deno.pid,
      startedMs: this.#startedMs,
      nowMs: clock.wall(),
      config,
      planes: facts,
      droppedLogLines: logger.droppedLines,
      kernelHits: this.kernelHits(),
      reload,
    });
  }

  /** Up to 0.1 s old; never quotes a Corefile. */
  respond(): Promise<HttpReply> {
    return this.#answer.get();
  }

  async #respond(): Promise<HttpReply> {
    const status = await this.collect();
    const { hideFaults } = await import("./status.ts");
    status.reload = hideFaults(status.reload);
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return { status: 200, headers, body: new TextEncoder().encode(`${visibleJson(status)}\n`) };
  }
}

async function factsOf(plane: DataPlane, config: Config): Promise<PlaneFacts> {
  const { statusRequest } = await import("../../plugins/statuses.ts");
  const requests = config.blocks.flatMap(({ plugins }, block) =>
    plugins.flatMap(({ name }, position) => {
      const request = statusRequest(name);
      return request === undefined ? [] : [{ block, position, request }];
    })
  );
  // An unknown handler also shows whether the data plane answers.
  if (requests.length === 0) {
    requests.push({ block: config.blocks.length, position: 0, request: 0 });
  }
  const answers = await Promise.all(
    requests.map(async (one) => [handlerKey(one), await plane.ask(one, ASK_MS)] as const),
  ).then((entries) => new Map<string, unknown>(entries), () => null);
  const { values, places, heartbeatAgeMs, restarts } = plane;
  return { values, places, heartbeatAgeMs, restarts, answers };
}
