import type { ObserveRequest } from "../../../src/engine/observe/requests.ts";
import type { ObservedPlane } from "../../../src/control/observe/plane.ts";
import type { TopStatus } from "../../../src/control/observe/top_source.ts";
import { Scene } from "../../engine/observe/scene.ts";

/** A data plane in the simulation, as the control plane sees it. */
export class ScenePlane implements ObservedPlane {
  readonly scene: Scene;
  readonly requests: ObserveRequest[] = [];
  /** What it does instead of an answer. */
  silent = false;
  off = false;

  constructor(options: ConstructorParameters<typeof Scene>[0] = {}) {
    this.scene = new Scene(options);
  }

  get values(): Float64Array {
    return this.scene.counters.values;
  }

  get places() {
    return this.scene.counters.places;
  }

  observe(request: ObserveRequest): Promise<unknown> {
    this.requests.push(request);
    if (this.silent) return Promise.reject(new Error("no answer within 500 ms"));
    // As between threads.
    return Promise.resolve(this.off ? null : structuredClone(this.scene.request(request)));
  }
}

/** A status with one cache and one upstream. */
export function statusOf(replies = 0, failures = 0): TopStatus {
  return {
    version: "1.2.3",
    pid: 4711,
    uptimeSeconds: 100,
    blocks: [{
      cache: {
        zones: ["."],
        success: { entries: 5, capacity: 100 },
        denial: { entries: 2, capacity: 100 },
        bytes: 3 * 2 ** 20,
        capacityBytes: null,
      },
      forwards: [{
        upstreams: [{ to: "10.0.0.1:53", state: "up", rttMs: 1.25, replies, failures }],
      }],
    }],
  };
}
