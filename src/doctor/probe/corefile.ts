import type { HostView } from "../../config/host.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { readInherited } from "../../inherit/cluster.ts";
import { compare } from "../../inherit/compare.ts";
import { readConfigMaps } from "../../inherit/config_maps.ts";
import { readConfig } from "../../loading/load.ts";
import { findFile, readInputs, readKubeDns } from "../../node/template/config_files.ts";
import { NO_KUBE_DNS_CONFIG } from "../../node/template/kube_dns_config.ts";
import type { NodeOptions, TemplateOptions } from "../../node/options.ts";
import { fillTemplate, serviceAddress } from "../../node/template/template.ts";
import type { CorefileFacts, InheritFacts, ServiceFacts } from "../judge/corefile.ts";
import type { DoctorOptions } from "./options.ts";

interface CorefileProbe {
  readonly corefile: CorefileFacts;
  readonly service: ServiceFacts;
}

const CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__";
/** Stands in for an unknown Service address. */
export const STAND_IN = "192.0.2.53";
const BUILT_IN = ".:PORT {\n    whoami\n    log\n}\n";

/** Reads the Corefile or fills the template. */
export async function probeCorefile(
  { node: { template, dnsPort: defaultPort }, corefile }: Pick<DoctorOptions, "corefile"> & {
    node: Pick<NodeOptions, "template" | "dnsPort">;
  },
  host: HostView,
): Promise<CorefileProbe> {
  const read = async (source: string, text: string): Promise<CorefileFacts> => {
    try {
      const { config, warnings } = await readConfig({ file: source, text, defaultPort }, host);
      return { source, faults: [], warnings, config, served: { file: source, text } };
    } catch (error) {
      return faulty(source, (error as Error).message.split("\n"));
    }
  };
  if (template !== null) return await probeTemplate(template, { host, read });
  const service: ServiceFacts = { service: null, address: { why: "" }, needed: false };
  const file = corefile === "" ? "Corefile" : corefile;
  if (corefile === "" && host.kindOf(file) !== "file") {
    const facts = await read(file, BUILT_IN.replace("PORT", String(defaultPort)));
    const warnings = ["no Corefile here and no -conf FILE: the built-in one only answers whoami"];
    return { corefile: { ...facts, source: "built in", warnings }, service };
  }
  const found = await findFile(file, filesOf(host));
  return {
    corefile: "text" in found
      ? await read(file, found.text)
      : faulty(file, [`Cannot read "${file}": ${found.why}`]),
    service,
  };
}

async function probeTemplate(
  template: TemplateOptions,
  { host, read }: {
    host: HostView;
    read: (source: string, text: string) => Promise<CorefileFacts>;
  },
): Promise<CorefileProbe> {
  const { baseFile, target, upstreamService } = template;
  const files = filesOf(host);
  const address = serviceAddress(upstreamService, (name) => host.env(name));
  const unneeded: ServiceFacts = { service: upstreamService, address, needed: false };
  const { base, config: kubeDns } = await readInputs(template, files);
  // The previous Corefile is still served.
  const before = await findFile(target, files);
  const readBefore = async () => "text" in before ? await read(target, before.text) : null;
  if ("why" in base) {
    const corefile = await readBefore();
    if (!template.baseRequired && base.absent && corefile !== null) {
      return { corefile, service: unneeded };
    }
    const faults = [`Cannot read the template "${baseFile}": ${base.why}`];
    return {
      corefile: { ...faulty(baseFile, faults), config: corefile?.config ?? null },
      service: unneeded,
    };
  }
  const needed = base.text.replaceAll(/#[^\n]*/g, "").includes(CLUSTER_DNS);
  const isUnknown = needed && "why" in address;
  const { config, faults } = readKubeDns(kubeDns, template);
  let filled: CorefileFacts;
  try {
    const { text } = fillTemplate(base.text, {
      ...template,
      ...config ?? NO_KUBE_DNS_CONFIG,
      file: baseFile,
      clusterDns: isUnknown ? { address: STAND_IN } : address,
    });
    filled = await read(target, text);
  } catch (error) {
    filled = faulty("", (error as Error).message.split("\n"));
  }
  const but = isUnknown ? " (but for the Service of kube-dns)" : "";
  return {
    corefile: {
      source: `${target}, made of ${baseFile}${but}`,
      faults: [...faults, ...filled.faults],
      warnings: filled.warnings,
      config: filled.config ?? (await readBefore())?.config ?? null,
      served: filled.served,
    },
    service: { ...unneeded, needed },
  };
}

/** Compares the Corefile with the ConfigMaps. */
export async function probeInherit(
  { inherit: file, domain, node: { dnsPort: port } }: DoctorOptions,
  { served }: CorefileFacts,
  host: HostView,
): Promise<InheritFacts> {
  let maps: string;
  try {
    maps = host.readTextFile(file);
  } catch (error) {
    return { file, why: `cannot read "${file}": ${readFailure(error)}`, isFault: true };
  }
  try {
    const inherited = await readInherited(await readConfigMaps(maps), { skip: null });
    if (served === null) return { file, why: "the Corefile cannot be read", isFault: false };
    const { file: path, text } = served;
    const node = { text, filled: text, file: path, view: host, port, domain };
    return { file, missing: compare(inherited, node).missing, notes: inherited.notes };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof AggregateError)) throw error;
    return { file, why: error.message, isFault: true };
  }
}

function filesOf(host: HostView) {
  return {
    read: (path: string) => new Promise<string>((resolve) => resolve(host.readTextFile(path))),
    isDirectory: (path: string) => Promise.resolve(host.kindOf(path) === "directory"),
  };
}

function faulty(source: string, faults: readonly string[]): CorefileFacts {
  return { source, faults, warnings: [], config: null, served: null };
}
