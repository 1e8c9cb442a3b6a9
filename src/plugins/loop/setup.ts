import { MAX_NAME_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { PluginSetup } from "../setup.ts";
import { type LoopOptions, PROBE_LABELS_SIZE } from "./options.ts";

const MAX_ZONE_SIZE = MAX_NAME_SIZE - PROBE_LABELS_SIZE;

/** Reads `loop`. */
export const loopSetup: PluginSetup = {
  name: "loop",
  setup({ tokens, zones: [zone], addHandler, warn }) {
    tokens.once(() => {
      const size = parseName(zone).length;
      if (size <= MAX_ZONE_SIZE) return addHandler({ zone } satisfies LoopOptions);
      warn(
        tokens.place.line,
        `no loop can be found: the name of the block's first zone has ${size} octets, and only ` +
          `${MAX_ZONE_SIZE} leave room for a probe (put a shorter zone first)`,
      );
    });
  },
};
