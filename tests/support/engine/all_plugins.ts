/** Loads every plugin, for tests that read Corefiles and make engines at once. */
import { loadAll } from "../../../src/base/lazy.ts";
import type { CreateHandler } from "../../../src/engine/handler.ts";
import * as lists from "../../../src/plugins/handlers.ts";
import { EXPLAIN } from "../../../src/plugins/forward/handler.ts";
import { PATTERNS } from "../../../src/plugins/pattern.ts";
import { SETUPS } from "../../../src/plugins/setups.ts";
import * as cacheParts from "../../../src/plugins/cache/parts.ts";

await loadAll([
  ...SETUPS.values(),
  ...lists.HANDLERS.values(),
  ...Object.values(cacheParts),
  EXPLAIN,
  PATTERNS,
]);

/** As an engine takes them. */
export const HANDLERS: ReadonlyMap<string, CreateHandler> = new Map(
  [...lists.HANDLERS].map(([plugin, create]) => [plugin, create.value]),
);
