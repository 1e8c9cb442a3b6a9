import { type Clock, pause, systemClock } from "../../base/clock.ts";
import { CorefileErrors } from "../../corefile/error.ts";
import { readFailure } from "../../corefile/read_failure.ts";
import {
  type ConfigFiles,
  denoConfigFiles,
  findFile,
  type Inputs,
  readInputs,
  readKubeDns,
} from "./config_files.ts";
import { type KubeDnsConfig, NO_KUBE_DNS_CONFIG } from "./kube_dns_config.ts";
import type { TemplateOptions } from "../options.ts";
import {
  type AddressOrWhy,
  type FilledTemplate,
  fillTemplate,
  serviceAddress,
} from "./template.ts";

/** `BaseCorefile` dependencies. */
export interface BaseCorefileSurroundings {
  env: (name: string) => string | undefined;
  check: (text: string) => Promise<string | null>;
  onChange: (text: string, summary: string) => void | Promise<void>;
  onFault: (message: string) => void;
  files?: ConfigFiles;
  clock?: Clock;
}

/**
 * Generates the Corefile from template, kube-dns config map and environment. On faults the previous
 * one stays.
 */
export class BaseCorefile {
  text: string | null = null;
  summary = "";
  readonly #options: TemplateOptions;
  readonly #surroundings: BaseCorefileSurroundings;
  readonly #files: ConfigFiles;
  readonly #fault: (message: string) => void;
  readonly #clusterDns: AddressOrWhy;
  readonly #poll: SettledPoll<Inputs>;
  #config = NO_KUBE_DNS_CONFIG;
  #servedConfig = NO_KUBE_DNS_CONFIG;
  #lastConfig = "";
  #applying: Promise<void> = Promise.resolve();

  constructor(options: TemplateOptions, surroundings: BaseCorefileSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#fault = surroundings.onFault;
    this.#files = surroundings.files ?? denoConfigFiles;
    this.#clusterDns = serviceAddress(options.upstreamService, surroundings.env);
    this.#poll = new SettledPoll<Inputs>({
      read: () => readInputs(options, this.#files),
      onChange: (inputs) => this.#enqueue(inputs, true),
      clock: surroundings.clock,
    });
  }

  /** Writes the first Corefile and polls. Null after a fault, or without an optional template. */
  async start(): Promise<string | null> {
    await this.#enqueue(await this.#poll.first(), false);
    this.#poll.start();
    return this.text;
  }

  /** Reads everything and reports faults again. */
  async refresh(): Promise<void> {
    this.#lastConfig = "";
    await this.#enqueue(await this.#poll.first(), true);
  }

  async stop(): Promise<void> {
    await this.#poll.stop();
    await this.#applying;
  }

  #enqueue(inputs: Inputs, report: boolean): Promise<void> {
    return this.#applying = this.#applying.then(() => this.#apply(inputs, report)).catch((error) =>
      this.#fault(`Cannot apply what was made of "${this.#options.baseFile}": ${error}`)
    );
  }

  async #apply({ base, config }: Inputs, report: boolean): Promise<void> {
    this.#readConfig(config);
    const { baseFile, baseRequired, target } = this.#options;
    if ("why" in base) {
      const served = base.absent && !baseRequired && this.text === null &&
        "text" in await findFile(target, this.#files);
      if (!served) this.#fault(`Cannot read the template "${baseFile}": ${base.why}`);
      return;
    }
    const made = await this.#makeServable(base.text);
    if (made === null || made === this.text) return;
    await this.#write(made);
    this.text = made;
    this.summary = this.#describe();
    if (report) await this.#surroundings.onChange(made, this.summary);
  }

  #readConfig(found: Inputs["config"]): void {
    const text = JSON.stringify(found);
    if (text === this.#lastConfig) return;
    this.#lastConfig = text;
    const { config, faults } = readKubeDns(found, this.#options);
    if (config !== null) this.#config = config;
    else this.#fault(`The kube-dns config map is not used: ${faults.join("\n")}`);
  }

  async #makeServable(template: string): Promise<string | null> {
    const made = await this.#make(template, this.#config);
    if ("text" in made) {
      this.#servedConfig = this.#config;
      return made.text;
    }
    const before = this.#servedConfig;
    if (JSON.stringify(before) === JSON.stringify(this.#config)) {
      this.#fault(made.why);
      return null;
    }
    const previous = await this.#make(template, before);
    this.#fault("text" in previous ? made.why : previous.why);
    return "text" in previous ? previous.text : null;
  }

  async #make(
    template: string,
    config: KubeDnsConfig,
  ): Promise<{ text: string } | { why: string }> {
    const { baseFile, target, configDirectory } = this.#options;
    const clusterDns = this.#clusterDns;
    let filled: FilledTemplate;
    try {
      const values = { ...this.#options, ...config, file: baseFile, clusterDns };
      filled = fillTemplate(template, values);
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
    const found = await findFile(target, this.#files);
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
}

const POLL_MS = 2000;
/** Writers need time. */
const SETTLE_MS = 200;

interface SettledPollOptions<T> {
  read: () => Promise<T>;
  onChange: (found: T) => Promise<void>;
  clock?: Clock | undefined;
}

/** Polls for changes seen twice: swapped parent links (config maps) cause no notification. */
export class SettledPoll<T> {
  readonly #options: SettledPollOptions<T>;
  readonly #stop = new AbortController();
  #known = "";
  #running: Promise<void> = Promise.resolve();

  constructor(options: SettledPollOptions<T>) {
    this.#options = options;
  }

  async first(): Promise<T> {
    const found = await this.#options.read();
    this.#known = JSON.stringify(found);
    return found;
  }

  start(): void {
    this.#running = this.#run(this.#stop.signal);
  }

  /** Resolves when idle. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { read, onChange, clock = systemClock } = this.#options;
    for (let pending: string | null = null;;) {
      await pause(clock, pending === null ? POLL_MS : SETTLE_MS, signal);
      if (signal.aborted) return;
      const found = await read();
      if (signal.aborted) return;
      const text = JSON.stringify(found);
      if (text === pending) {
        this.#known = text;
        await onChange(found);
      }
      pending = text === this.#known ? null : text;
    }
  }
}
