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

/** What a plugin's `setup.ts` gets: the tokens of its directive, and the block that it configures. */
export interface Controller {
  readonly plugin: string;
  /** Every use of the directive in the server block. */
  readonly tokens: Dispenser;
  /** Zones of the server block, normalised: `example.org.`. */
  /** At least one, also if the faulty keys of the block have none. */
  readonly zones: readonly [string, ...string[]];
  readonly host: HostView;
  /** Later directives of the block that answer queries, in the order of the chain. */
  readonly answeringBehind: readonly string[];
  /** Absolute path of a file that the directive names, relative to the block's `root`. */
  resolvePath(path: string): string;
  /** Sets the base of the block's relative paths: absolute, without a slash at the end. */
  setRoot(path: string): void;
  /** Sets limits of the block's TCP connections; replaces only those given. */
  limitStreams(timeouts: StreamTimeouts): void;
  /** Adds a handler with these options to the block's chain. */
  addHandler(options: object): void;
  /** Adds an HTTP endpoint. */
  addEndpoint(endpoint: EndpointKind & { host: string; port: number }): void;
  /** Adds addresses to listen on, instead of all. */
  bind(addresses: readonly string[]): void;
  /** Sets the interval of reloads for the whole Corefile; the last call counts. */
  reloadEvery(reload: ReloadConfig): void;
  /** Enables debug lines in the log. */
  enableDebug(): void;
  /** Warns the operator: `Corefile:3: hosts: …`. */
  warn(line: number, text: string): void;
}

/** A configuration after all directives were read. */
export interface WholeConfig<Options> {
  readonly config: Config;
  /** The handlers of the plugin, in the order of the Corefile. */
  readonly uses: readonly (PluginConfig & { block: BlockConfig; options: Options })[];
  /** Addresses of this machine; none if they cannot be read. */
  interfaces(): string[];
  /** Adds a fault of a directive. */
  fault(place: Place, what: string): void;
  /** Warns the operator. */
  warn(place: Place, text: string): void;
}

/** A plugin, as the configuration sees it. */
export interface PluginSetup {
  readonly name: string;
  /** It answers queries; a block needs a directive that does. */
  readonly answers?: boolean;
  /** What a handler with these options does, for `nodens check`. */
  describe?(options: unknown): string;
  /** Reads the directive. Throws `CorefileError` (`tokens.error(…)` makes one). */
  setup(controller: Controller): void;
  /** Called once after all directives were read, for what depends on several of them. */
  complete?(whole: WholeConfig<unknown>): void;
}

/** A `setup.ts` needs a library; after `load`, the configuration can be read. */
export class LibraryMissing extends Error {
  readonly load: () => Promise<void>;

  constructor(load: () => Promise<void>) {
    super("Cannot read the configuration: a library is not loaded (read it with readConfig)");
    this.name = "LibraryMissing";
    this.load = load;
  }
}
