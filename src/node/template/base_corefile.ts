import { CorefileErrors } from "../../corefile/error.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import { type ConfigFiles, denoConfigFiles } from "./config_files.ts";
import {
  KUBE_DNS_FILES,
  type KubeDnsConfig,
  NO_KUBE_DNS_CONFIG,
  parseKubeDnsConfig,
} from "./kube_dns_config.ts";
import type { TemplateOptions } from "./options.ts";
import { SettledPoll } from "./settled_poll.ts";
import {
  type AddressOrWhy,
  type FilledTemplate,
  fillTemplate,
  serviceAddress,
} from "./template.ts";

const POLL_MS = 2000;
const SETTLE_MS = 200;

/** Where a Corefile comes from and goes to. */
export interface BaseCorefileSurroundings {
  env: (name: string) => string | undefined;
  /** Says why a Corefile cannot be served, or null if it can. It must not apply it. */
  check: (text: string) => Promise<string | null>;
  /** There is another Corefile; not told of the one that `start` returns. */
  onChange: (text: string, summary: string) => void | Promise<void>;
  /**
   * Something is wrong, and what was served before stays. Each is one more of node-cache's set-up
   * errors of type `configmap`.
   */
  onFault: (message: string) => void;
  files?: ConfigFiles;
  pollMs?: number;
  settleMs?: number;
}

/** A file as it was found: its text, or why there is none. */
type Found = { text: string } | { why: string; absent: boolean };

/** Everything that a Corefile is made from. */
interface Inputs {
  base: Found;
  /** By file of the config map; null if its directory is not there. */
  config: Record<typeof KUBE_DNS_FILES[number], Found> | null;
}

/**
 * Makes the Corefile out of the template, the kube-dns config map and the environment, writes it,
 * and does so again when one of the files changes.
 *
 * What is wrong is told and changes nothing: a config map with a fault leaves the one before it in
 * force, a Corefile that cannot be served is not written.
 */
export class BaseCorefile {
  /** The Corefile that was made last; null as long as none could be. */
  text: string | null = null;
  /** What the last one was made of, for the log. */
  summary = "";
  readonly #options: TemplateOptions;
  readonly #surroundings: BaseCorefileSurroundings;
  readonly #files: ConfigFiles;
  readonly #clusterDns: AddressOrWhy;
  readonly #poll: SettledPoll<Inputs>;
  /** The last config map without faults, and the last one that a Corefile was made with. */
  #config = NO_KUBE_DNS_CONFIG;
  #servedConfig = NO_KUBE_DNS_CONFIG;
  /** The config map's files as they were when `#config` was read from them. */
  #configPrint = "";
  /** What is done with inputs happens one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: TemplateOptions, surroundings: BaseCorefileSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#files = surroundings.files ?? denoConfigFiles;
    this.#clusterDns = serviceAddress(options.upstreamService, surroundings.env);
    this.#poll = new SettledPoll<Inputs>({
      pollMs: surroundings.pollMs ?? POLL_MS,
      settleMs: surroundings.settleMs ?? SETTLE_MS,
      look: () => this.#read(),
      onChange: (inputs) => this.#inTurn(() => this.#apply(inputs, true)),
    });
  }

  /**
   * Makes the first Corefile, writes it and begins to watch.
   *
   * Null if none can be made, which was told as a fault, or where there is no template, nobody
   * asked for one, and a Corefile stands where it would go: that one is to be served then.
   */
  async start(): Promise<string | null> {
    const inputs = await this.#poll.first();
    await this.#inTurn(() => this.#apply(inputs, false));
    this.#poll.start();
    return this.text;
  }

  /** Looks now and makes the Corefile anew, even out of the same files; for a reload by signal. */
  async refresh(): Promise<void> {
    // Faults of the config map are reported again at each request.
    this.#configPrint = "";
    const inputs = await this.#poll.first();
    await this.#inTurn(() => this.#apply(inputs, true));
  }

  /** Stops watching; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    await this.#poll.stop();
    await this.#turn;
  }

  #inTurn(what: () => Promise<void>): Promise<void> {
    return this.#turn = this.#turn.then(what).catch((error) =>
      this.#fault(`Cannot apply what was made of "${this.#options.baseFile}": ${error}`)
    );
  }

  async #read(): Promise<Inputs> {
    const { baseFile, configDirectory } = this.#options;
    const base = await this.#find(baseFile);
    if (!await this.#files.isDirectory(configDirectory)) return { base, config: null };
    const [stubDomains, upstreamNameservers] = await Promise.all(
      KUBE_DNS_FILES.map((name) => this.#find(`${configDirectory}/${name}`)),
    );
    return {
      base,
      config: { stubDomains: stubDomains!, upstreamNameservers: upstreamNameservers! },
    };
  }

  async #find(path: string): Promise<Found> {
    try {
      return { text: await this.#files.read(path) };
    } catch (error) {
      return { why: readFailure(error), absent: error instanceof Deno.errors.NotFound };
    }
  }

  async #apply({ base, config }: Inputs, tell: boolean): Promise<void> {
    this.#readConfig(config);
    const { baseFile, baseRequired, target } = this.#options;
    if ("why" in base) {
      const served = base.absent && !baseRequired && this.text === null &&
        "text" in await this.#find(target);
      if (!served) this.#fault(`Cannot read the template "${baseFile}": ${base.why}`);
      return;
    }
    const made = await this.#makeServable(base.text);
    if (made === null || made === this.text) return;
    await this.#write(made);
    this.text = made;
    this.summary = this.#describe();
    if (tell) await this.#surroundings.onChange(made, this.summary);
  }

  /** Takes over what the config map says, unless something is wrong with it. */
  #readConfig(found: Inputs["config"]): void {
    const print = JSON.stringify(found);
    if (print === this.#configPrint) return;
    this.#configPrint = print;
    const { configDirectory, configRequired } = this.#options;
    if (found === null) {
      // A volume that is optional is an empty directory; without one nothing was asked for.
      if (configRequired) {
        this.#fault(
          `Cannot read "${configDirectory}": there is no such directory (mount the config map ` +
            "kube-dns there, or leave -kubednscm out)",
        );
      } else this.#config = NO_KUBE_DNS_CONFIG;
      return;
    }
    const texts: Record<string, string | null> = {};
    const unreadable: string[] = [];
    for (const name of KUBE_DNS_FILES) {
      const file = found[name];
      texts[name] = "text" in file ? file.text : null;
      if ("why" in file && !file.absent) {
        unreadable.push(`${configDirectory}/${name}: cannot be read: ${file.why}`);
      }
    }
    const { config, faults } = parseKubeDnsConfig(
      texts as Parameters<typeof parseKubeDnsConfig>[0],
      configDirectory,
    );
    const all = [...unreadable, ...faults];
    if (all.length === 0) this.#config = config!;
    else this.#fault(`The kube-dns config map is not used: ${all.join("\n")}`);
  }

  /** The Corefile of a template, with the config map if that does; null if nothing does. */
  async #makeServable(template: string): Promise<string | null> {
    const made = await this.#make(template, this.#config);
    if ("text" in made) {
      this.#servedConfig = this.#config;
      return made.text;
    }
    // A config map that spoils the Corefile must not keep the template from changing.
    const before = this.#servedConfig;
    if (JSON.stringify(before) === JSON.stringify(this.#config)) {
      this.#fault(made.why);
      return null;
    }
    const without = await this.#make(template, before);
    this.#fault("text" in without ? made.why : without.why);
    return "text" in without ? without.text : null;
  }

  /** The Corefile of a template and a config map, or why it cannot be served. */
  async #make(
    template: string,
    config: KubeDnsConfig,
  ): Promise<{ text: string } | { why: string }> {
    const { baseFile, localIps, domain, dnsPort, target, configDirectory } = this.#options;
    let filled: FilledTemplate;
    try {
      filled = fillTemplate(template, {
        file: baseFile,
        localIps,
        domain,
        dnsPort,
        clusterDns: this.#clusterDns,
        upstreamServers: config.upstreamNameservers,
        stubDomains: config.stubDomains,
      });
    } catch (error) {
      if (!(error instanceof CorefileErrors)) throw error;
      return { why: error.message };
    }
    const { text, stubDomainsLine } = filled;
    const why = text === this.text ? null : await this.#surroundings.check(text);
    if (why === null) return { text };
    const stubs = stubDomainsLine === null
      ? ""
      : ` and, from line ${stubDomainsLine} on, of ${configDirectory}/stubDomains`;
    return { why: `${target}, made of ${baseFile}${stubs}, cannot be served: ${why}` };
  }

  async #write(text: string): Promise<void> {
    const { target } = this.#options;
    const found = await this.#find(target);
    if ("text" in found && found.text === text) return;
    try {
      await this.#files.write(target, text);
    } catch (error) {
      this.#fault(`Cannot write "${target}": ${readFailure(error)} (it is served all the same)`);
    }
  }

  #describe(): string {
    const { stubDomains, upstreamNameservers } = this.#servedConfig;
    const { baseFile, target } = this.#options;
    const count = `${stubDomains.length} stub domain${stubDomains.length === 1 ? "" : "s"}`;
    const servers = upstreamNameservers.join(" ") || "those of the template";
    return `${target} is made of ${baseFile}, ${count}, upstream servers: ${servers}`;
  }

  #fault(message: string): void {
    this.#surroundings.onFault(message);
  }
}
