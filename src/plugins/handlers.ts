import type { CreateHandler } from "../engine/handler.ts";
import { createCache } from "./cache/handler.ts";
import { createErrors } from "./errors/handler.ts";
import { createForward } from "./forward/handler.ts";
import { createHosts } from "./hosts/handler.ts";
import { createLog } from "./log/handler.ts";
import { createWhoami } from "./whoami/handler.ts";

/** Makers of handlers by plugin name. Directives that only configure the server have none. */
export const HANDLERS: ReadonlyMap<string, CreateHandler> = new Map<string, CreateHandler>([
  ["errors", createErrors as CreateHandler],
  ["log", createLog as CreateHandler],
  ["cache", createCache as CreateHandler],
  ["hosts", createHosts as CreateHandler],
  ["forward", createForward as CreateHandler],
  ["whoami", createWhoami as CreateHandler],
]);
