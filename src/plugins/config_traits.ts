import type { Config } from "../config/types.ts";
import { cacheTraits } from "./cache/traits.ts";
import { errorsTraits } from "./errors/traits.ts";
import { forwardTraits } from "./forward/traits.ts";
import { hostsTraits } from "./hosts/traits.ts";
import { rewriteTraits } from "./rewrite/traits.ts";
import { templateTraits } from "./template/traits.ts";
import type { Forwarding, PluginTraits } from "./traits.ts";

const TRAITS: ReadonlyMap<string, PluginTraits<unknown>> = new Map<string, PluginTraits<never>>([
  ["cache", cacheTraits],
  ["errors", errorsTraits],
  ["forward", forwardTraits],
  ["hosts", hostsTraits],
  ["rewrite", rewriteTraits],
  ["template", templateTraits],
]);

/** Plugins and parts of handlers, for `handlerModules`. */
export function handlerParts(config: Config): string[] {
  const plugins = config.blocks.flatMap(({ plugins }) => plugins.map(({ name }) => name));
  const parts = collect(config, (traits, options) => traits.parts?.(options) ?? []).flat();
  return [...new Set([...plugins, ...parts])];
}

/** Whether exceptions are logged with stacks. */
export function logsStacks(config: Config): boolean {
  return collect(config, (traits, options) => traits.logsStacks?.(options)).includes(true);
}

/** Whether any server uses TLS or HTTPS. */
export function usesTls(config: Config): boolean {
  return forwardings(config).some(({ encrypted }) => encrypted);
}

/** Destinations of queries from these blocks. */
export function forwardings(config: Pick<Config, "blocks">): Forwarding[] {
  return collect(config, (traits, options) => traits.forwarding?.(options))
    .filter((one) => one !== undefined);
}

/** Answers that all caches keep at most. */
export function cachedAnswers(config: Pick<Config, "blocks">): number {
  const counts = collect(config, (traits, options) => traits.cachedAnswers?.(options) ?? 0);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A name answered without a network, or null. */
export function ownName(config: Pick<Config, "blocks">): string | null {
  const names = collect(config, (traits, options) => traits.ownName?.(options) ?? null);
  return names.find((name) => name !== null) ?? null;
}

function collect<T>(
  { blocks }: Pick<Config, "blocks">,
  of: (traits: PluginTraits<unknown>, options: unknown) => T,
): T[] {
  return blocks.flatMap(({ plugins }) =>
    plugins.flatMap(({ name, options }) => {
      const traits = TRAITS.get(name);
      return traits === undefined ? [] : [of(traits, options)];
    })
  );
}
