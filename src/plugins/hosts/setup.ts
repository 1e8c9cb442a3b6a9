import { readDuration, readInteger } from "../../corefile/values.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import type { HostsOptions } from "./options.ts";

const TTL = { name: "ttl", default: 3600, min: 1, max: 65535 } as const;
const RELOAD = { name: "reload", default: 5000, min: 0, max: 86_400_000 } as const;

/** Reads `hosts [FILE [ZONES...]] { … }`. */
export const hostsSetup: PluginSetup = {
  name: "hosts",
  setup({ tokens, zones, host, addHandler, warn }) {
    tokens.nextDirective();
    const { line } = tokens.place;
    const [file, ...names] = tokens.remainingArgs();
    const options: HostsOptions = {
      path: host.absolute(file ?? "/etc/hosts"),
      zones: names.length > 0 ? readZones(tokens, names) : [...zones],
      inline: [],
      ttlSeconds: TTL.default,
      autoReverse: true,
      reloadMs: RELOAD.default,
      fallthrough: null,
      fallthroughUnsupported: false,
    };
    if (file !== undefined) {
      const kind = host.kindOf(options.path);
      if (kind === null) warn(line, `file "${file}" does not exist (yet)`);
      else if (kind === "directory") warn(line, `"${file}" is a directory, not a hosts file`);
    }
    tokens.eachInBlock((option) => {
      switch (option) {
        case "ttl":
          options.ttlSeconds = readInteger(tokens, tokens.oneArg("SECONDS"), TTL);
          break;
        case "reload":
          options.reloadMs = readDuration(tokens, tokens.oneArg("DURATION"), RELOAD);
          break;
        case "no_reverse":
          options.autoReverse = false;
          break;
        case "fallthrough": {
          const list = tokens.remainingArgs();
          options.fallthrough = list.length > 0 ? readZones(tokens, list) : ["."];
          break;
        }
        case "fallthrough_unsupported":
          options.fallthroughUnsupported = true;
          break;
        default: {
          if (options.fallthrough !== null) {
            throw tokens.error(`unknown option "${option}" (entries stand before fallthrough)`);
          }
          const rest = tokens.remainingArgs();
          if (!/^[0-9a-fA-F.:%]+$/.test(option) || rest.length === 0) {
            throw tokens.error(`"${option}" is neither an option nor an entry (ADDRESS NAME...)`);
          }
          options.inline.push([option, ...rest].join(" "));
        }
      }
    });
    if (options.fallthroughUnsupported && options.fallthrough === null) {
      throw tokens.error("fallthrough_unsupported needs fallthrough (add it)");
    }
    if (tokens.nextDirective()) throw tokens.error("stands twice in this block (merge them)");
    addHandler(options);
  },
};
