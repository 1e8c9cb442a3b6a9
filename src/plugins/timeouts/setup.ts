import type { StreamTimeouts } from "../../config/types.ts";
import { readDuration, readInteger } from "../../corefile/values.ts";
import type { PluginSetup } from "../setup.ts";

/** CoreDNS's bounds. */
const TIME = { min: 1000, max: 24 * 3600 * 1000 } as const;
const QUERIES = { name: "maxtcpqueries", min: -1, max: 2 ** 31 - 1 } as const;
/** 0 disables it. */
const DISCARD = { min: 0, max: TIME.max } as const;

/** Reads `timeouts { … }`; the times belong to listeners. */
export const timeoutsSetup: PluginSetup = {
  name: "timeouts",
  setup({ tokens, limitStreams }) {
    const readTime = (name: string, bounds: { min: number; max: number } = TIME) =>
      readDuration(tokens, tokens.oneArg("DURATION"), { name, ...bounds });
    tokens.eachUse(() => {
      const timeouts: StreamTimeouts = {};
      tokens.someOptions({
        read: (name) => timeouts.readMs = readTime(name),
        write: (name) => timeouts.writeMs = readTime(name),
        idle: (name) => timeouts.idleMs = readTime(name),
        maxtcpqueries: () => {
          const queries = readInteger(tokens, tokens.oneArg("MAXIMUM"), QUERIES);
          if (queries !== 0) timeouts.queries = queries;
          else {
            const remedy = "1 or more, or -1 for any number";
            throw tokens.error(`maxtcpqueries: 0 would answer nothing (${remedy})`);
          }
        },
        discard: (name) => timeouts.discardMs = readTime(name, DISCARD),
      });
      limitStreams(timeouts);
    });
  },
};
