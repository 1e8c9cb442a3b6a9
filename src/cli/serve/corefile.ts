import { configSource } from "../../control/config_source.ts";
import { denoHost } from "../../control/host_deno.ts";
import { readConfig } from "../../loading/load.ts";
import type { BaseCorefile } from "../../node/template/base_corefile.ts";
import type { TemplateOptions } from "../../node/options.ts";
import type { NodeContext } from "./node.ts";
import { NODE_FLAGS } from "./node_flags.ts";
import type { ServeOutput } from "./output.ts";

/** CoreDNS's default configuration. */
const BUILT_IN = ".:PORT {\n    whoami\n    log\n}\n";

/** Origin of the Corefile; `listener` is called after changes. */
export type CorefileOrigin = NonNullable<Awaited<ReturnType<typeof openCorefile>>>;

/** Finds the Corefile; null if absent, which is reported. */
export async function openCorefile(context: NodeContext, output: ServeOutput) {
  const { node, corefile, kernelHits } = context.options;
  const listener = { onChange: (_summary: string) => {} };
  const file = corefile || "Corefile";
  const exists = () => denoHost.kindOf(file) === "file";
  let text: (() => string) | null = null;
  let base: BaseCorefile | null = null;
  if (node.template !== null) {
    const made = await makeBase(node.template, context, (why) => listener.onChange(why));
    if (await made.start() !== null) text = () => made.text!;
    else if (!exists()) {
      output.fail(`Cannot serve: no Corefile could be made, and there is none at "${file}"`);
      await made.stop();
      return null;
    }
    base = made;
  }
  const endpoint = "prometheus-listen-address";
  if (node.template === null && context.options.values[endpoint] !== NODE_FLAGS[endpoint].default) {
    output.warn(
      `-${endpoint} has no effect: it fills a template, and there is none (-localip,` +
        " -basecorefile); -extra-metrics-address ADDRESS serves metrics",
    );
  }
  if (node.template === null && corefile === "" && !exists()) {
    output.warn("No Corefile here and no -conf FILE: serving the built-in one (whoami, log)");
    text = () => BUILT_IN.replace("PORT", String(node.dnsPort));
  }
  const source = configSource({
    ...{ file, text, defaultPort: node.dnsPort, host: denoHost },
    kernelHits: kernelHits !== null,
  });
  return { source, base, listener };
}

async function makeBase(
  template: TemplateOptions,
  { logger, metrics }: NodeContext,
  onChange: (summary: string) => void,
): Promise<BaseCorefile> {
  const { BaseCorefile } = await import("../../node/template/base_corefile.ts");
  return new BaseCorefile(template, {
    env: (name) => Deno.env.get(name),
    async check(text) {
      try {
        const { target: file, dnsPort: defaultPort } = template;
        await readConfig({ file, text, defaultPort }, denoHost);
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    },
    onChange: (_text, summary) => onChange(summary),
    onFault(message) {
      metrics.count("configmap");
      for (const line of message.split("\n")) logger.log("error", line);
    },
  });
}
