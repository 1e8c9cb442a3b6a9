import { MAX_NAME_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { PluginSetup } from "../controller.ts";
import type { LoopOptions } from "./options.ts";
import { PROBE_LABELS_SIZE } from "./probe_name.ts";

const MAX_ZONE_SIZE = MAX_NAME_SIZE - PROBE_LABELS_SIZE;

/** Reads `loop`. */
export const loopSetup: PluginSetup = {
  name: "loop",
  setup({ tokens, zones, addHandler, warn }) {
    tokens.once(() => {
      const { line } = tokens.place;
      const options: LoopOptions = { zone: zones[0]! };
      const size = parseName(options.zone).length;
      if (size <= MAX_ZONE_SIZE) addHandler(options);
      else {
        warn(
          line,
          `no loop can be found: the name of the block's first zone has ${size} octets, and only ` +
            `${MAX_ZONE_SIZE} leave room for a probe (put a shorter zone first)`,
        );
      }
    });
  },
};
