import type { HostView } from "../../config/host.ts";
import { readConfig } from "../../loading/read.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import {
  KUBE_DNS_FILES,
  NO_KUBE_DNS_CONFIG,
  parseKubeDnsConfig,
} from "../../node/template/kube_dns_config.ts";
import type { TemplateOptions } from "../../node/template/options.ts";
import { fillTemplate, serviceAddress } from "../../node/template/template.ts";
import type { CorefileFacts as AllFacts } from "../judge/corefile.ts";
import type { ServiceFacts } from "../judge/service.ts";

type CorefileFacts = Omit<AllFacts, "localIps">;

/** What the Corefile and the Service behind it are found to be. */
export interface CorefileLook {
  readonly corefile: CorefileFacts;
  readonly service: ServiceFacts;
}

const CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__";
/** Stands for the Service where its address is not known, so that the rest can be looked at. */
export const STAND_IN = "192.0.2.53";
/** Served if there is no Corefile and none is named. */
const BUILT_IN = ".:PORT {\n    whoami\n    log\n}\n";

/** Reads the Corefile as nodens would, or fills the template; writes nothing. */
export async function probeCorefile(
  { template, corefile, defaultPort, localIps }: {
    template: TemplateOptions | null;
    corefile: string;
    defaultPort: number;
    localIps: readonly string[];
  },
  host: HostView,
): Promise<CorefileLook> {
  const read = (file: string, text: string) => readFacts({ file, text, defaultPort }, host);
  const service: ServiceFacts = {
    service: template?.upstreamService ?? null,
    address: template === null
      ? { why: "" }
      : serviceAddress(template.upstreamService, (name) => host.env(name)),
    needed: false,
    localIps,
  };
  if (template === null) {
    const file = corefile === "" ? "Corefile" : corefile;
    if (corefile === "" && host.kindOf(file) !== "file") {
      const facts = await read(file, BUILT_IN.replace("PORT", String(defaultPort)));
      const warnings = [
        "no Corefile here and no -conf FILE: the built-in one answers whoami alone",
      ];
      return { corefile: { ...facts, source: "built in", warnings }, service };
    }
    return { corefile: await readFile(file, host, read), service };
  }
  const base = textOf(template.baseFile, host);
  if ("why" in base) {
    const served = textOf(template.target, host);
    if (!template.baseRequired && base.absent && "text" in served) {
      return { corefile: await read(template.target, served.text), service };
    }
    const faults = [`Cannot read the template "${template.baseFile}": ${base.why}`];
    // The Corefile of an earlier start is served meanwhile.
    const config = "text" in served ? (await read(template.target, served.text)).config : null;
    return { corefile: { source: template.baseFile, faults, warnings: [], config }, service };
  }
  const needed = base.text.replaceAll(/#[^\n]*/g, "").includes(CLUSTER_DNS);
  const { config, faults } = kubeDnsConfig(template, host);
  const place = `${template.target}, made of ${template.baseFile}` +
    (needed && "why" in service.address ? " (but for the Service of kube-dns)" : "");
  let filled: CorefileFacts;
  try {
    const { text } = fillTemplate(base.text, {
      file: template.baseFile,
      localIps: template.localIps,
      domain: template.domain,
      dnsPort: template.dnsPort,
      clusterDns: needed && "why" in service.address ? { address: STAND_IN } : service.address,
      upstreamServers: config.upstreamNameservers,
      stubDomains: config.stubDomains,
    });
    filled = await read(template.target, text);
  } catch (error) {
    filled = {
      source: "",
      faults: (error as Error).message.split("\n"),
      warnings: [],
      config: null,
    };
  }
  let { config: result } = filled;
  if (result === null) {
    // The Corefile of an earlier start goes on being served.
    const before = textOf(template.target, host);
    if ("text" in before) result = (await read(template.target, before.text)).config;
  }
  return {
    corefile: {
      source: place,
      faults: [...faults, ...filled.faults],
      warnings: filled.warnings,
      config: result,
    },
    service: { ...service, needed },
  };
}

function kubeDnsConfig(
  { configDirectory, configRequired }: TemplateOptions,
  host: HostView,
): { config: typeof NO_KUBE_DNS_CONFIG; faults: readonly string[] } {
  if (host.kindOf(configDirectory) !== "directory") {
    const faults = configRequired ? [`Cannot read "${configDirectory}": no such directory`] : [];
    return { config: NO_KUBE_DNS_CONFIG, faults };
  }
  const unreadable: string[] = [];
  const [stubDomains = null, upstreamNameservers = null] = KUBE_DNS_FILES.map((name) => {
    const found = textOf(`${configDirectory}/${name}`, host);
    if ("text" in found) return found.text;
    if (!found.absent) unreadable.push(`${configDirectory}/${name}: ${found.why}`);
    return null;
  });
  const { config, faults } = parseKubeDnsConfig(
    { stubDomains, upstreamNameservers },
    configDirectory,
  );
  return { config: config ?? NO_KUBE_DNS_CONFIG, faults: [...unreadable, ...faults] };
}

async function readFile(
  file: string,
  host: HostView,
  read: (file: string, text: string) => Promise<CorefileFacts>,
): Promise<CorefileFacts> {
  const found = textOf(file, host);
  if ("text" in found) return await read(file, found.text);
  const faults = [`Cannot read "${file}": ${found.why}`];
  return { source: file, faults, warnings: [], config: null };
}

async function readFacts(
  source: { file: string; text: string; defaultPort: number },
  host: HostView,
): Promise<CorefileFacts> {
  try {
    const { config, warnings } = await readConfig(source, host);
    return { source: source.file, faults: [], warnings, config };
  } catch (error) {
    const faults = (error as Error).message.split("\n");
    return { source: source.file, faults, warnings: [], config: null };
  }
}

function textOf(
  path: string,
  host: HostView,
): { text: string } | { why: string; absent: boolean } {
  try {
    return { text: host.readTextFile(path) };
  } catch (error) {
    return { why: readFailure(error), absent: error instanceof Deno.errors.NotFound };
  }
}
