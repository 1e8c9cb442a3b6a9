import type { HostView } from "../config/host.ts";
import type {
  BlockConfig,
  Config,
  EndpointKind,
  PluginConfig,
  ReloadConfig,
  StreamTimeouts,
} from "../config/types.ts";
import type { Dispenser } from "../corefile/dispenser.ts";
import type { Place } from "../corefile/error.ts";

/** Input of a plugin's setup. */
export interface Controller {
  readonly plugin: string;
  /** All uses in the block. */
  readonly tokens: Dispenser;
  /** Normalised; "." if all keys are faulty. */
  readonly zones: readonly [string, ...string[]];
  readonly host: HostView;
  /** Later answering directives of the block. */
  readonly answeringBehind: readonly string[];
  /** Relative to the block's `root`. */
  resolvePath(path: string): string;
  /** Absolute, without trailing slash. */
  setRoot(path: string): void;
  /** Replaces only the given limits. */
  limitStreams(timeouts: StreamTimeouts): void;
  addHandler(options: object): void;
  addEndpoint(endpoint: EndpointKind & { host: string; port: number }): void;
  /** Adds addresses to listen on, instead of all. */
  bind(addresses: readonly string[]): void;
  /** For the whole Corefile; the last call counts. */
  reloadEvery(reload: ReloadConfig): void;
  enableDebug(): void;
  /** `Corefile:3: hosts: …`. */
  warn(line: number, text: string): void;
}

/** Configuration after all directives. */
export interface WholeConfig<Options> {
  readonly config: Config;
  /** In Corefile order. */
  readonly uses: readonly (PluginConfig & { block: BlockConfig; options: Options })[];
  /** Empty if they cannot be read. */
  interfaces(): string[];
  fault(place: Place, what: string): void;
  warn(place: Place, text: string): void;
}

/** A plugin's part in the configuration. */
export interface PluginSetup {
  readonly name: string;
  /** Each block needs a directive that answers. */
  readonly answers?: boolean;
  /** For `nodens check`. */
  describe?(options: unknown): string;
  /** Throws `CorefileError` (see `tokens.error`). */
  setup(controller: Controller): void;
  complete?(whole: WholeConfig<unknown>): void;
}
