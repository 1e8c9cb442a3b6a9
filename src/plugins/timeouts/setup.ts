import type { StreamTimeouts } from "../../config/types.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { unknownOption } from "../../corefile/nearest.ts";
import { readDuration, readInteger } from "../../corefile/values.ts";
import type { PluginSetup } from "../controller.ts";

/** Bounds of CoreDNS. */
const TIME = { min: 1000, max: 24 * 3600 * 1000 } as const;
const QUERIES = { name: "maxtcpqueries", min: -1, max: 2 ** 31 - 1 } as const;
/** 0 turns it off. */
const DISCARD = { name: "discard", min: 0, max: TIME.max } as const;
const NAMES = ["read", "write", "idle", "maxtcpqueries", "discard"];

/** Reads `timeouts { … }`; it has no handler: the times belong to the listeners. */
export const timeoutsSetup: PluginSetup = {
  name: "timeouts",
  setup({ tokens, limitStreams }) {
    tokens.eachUse(() => {
      const timeouts: StreamTimeouts = {};
      let options = 0;
      tokens.eachInBlock((option) => {
        options++;
        readOption(tokens, option, timeouts);
      });
      if (options === 0) throw tokens.error(`it needs at least one option (${NAMES.join(", ")})`);
      limitStreams(timeouts);
    });
  },
};

function readOption(tokens: Dispenser, option: string, timeouts: StreamTimeouts): void {
  switch (option) {
    case "read":
      timeouts.readMs = readTime(tokens, option);
      break;
    case "write":
      timeouts.writeMs = readTime(tokens, option);
      break;
    case "idle":
      timeouts.idleMs = readTime(tokens, option);
      break;
    case "maxtcpqueries": {
      const count = readInteger(tokens, tokens.oneArg("MAXIMUM"), QUERIES);
      if (count === 0) {
        throw tokens.error(
          "maxtcpqueries: 0 would answer nothing (1 or more, or -1 for any number)",
        );
      }
      timeouts.queries = count;
      break;
    }
    case "discard":
      timeouts.discardMs = readDuration(tokens, tokens.oneArg("DURATION"), DISCARD);
      break;
    default:
      throw tokens.error(unknownOption(option, NAMES));
  }
}

function readTime(tokens: Dispenser, name: string): number {
  return readDuration(tokens, tokens.oneArg("DURATION"), { name, ...TIME });
}
