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

/**
 * What a plugin's `setup.ts` works with: the tokens of its directive (every use of it in the server
 * block, one after the other), and the block that it configures.
 */
export interface Controller {
  /** Name of the directive. */
  readonly plugin: string;
  readonly tokens: Dispenser;
  /** Zones of the server block, normalised: `example.org.`. */
  readonly zones: readonly string[];
  readonly host: HostView;
  /** Directives of the block behind this one that answer queries, in the order of the chain. */
  readonly answeringBehind: readonly string[];
  /** Absolute path of a file that the directive names, relative to the block's `root`. */
  resolvePath(path: string): string;
  /** Absolute path, without a slash at its end, of the folder that the block's relative ones start from. */
  setRoot(path: string): void;
  /** Times and counts for the block's TCP connections; called again, replaces what it names. */
  limitStreams(timeouts: StreamTimeouts): void;
  /** Adds a handler with these options to the block's chain. */
  addHandler(options: object): void;
  /** Serves something over HTTP. */
  addEndpoint(endpoint: EndpointKind & { host: string; port: number }): void;
  /** Replaces "listen on all addresses" by these; called again, adds to them. */
  bind(addresses: readonly string[]): void;
  /** Looks for changes of the Corefile this often; the last call counts for all of it. */
  reloadEvery(reload: ReloadConfig): void;
  /** Asks for debug lines in the log. */
  enableDebug(): void;
  /** Warns the operator: `Corefile:3: hosts: …`. */
  warn(line: number, text: string): void;
}

/** A configuration all of whose directives were read. */
export interface WholeConfig<Options> {
  readonly config: Config;
  /** The handlers of the plugin, in the order of the Corefile. */
  readonly uses: readonly (PluginConfig & { block: BlockConfig; options: Options })[];
  /** Addresses of this machine; none if they may not be read, which leaves loopback. */
  interfaces(): string[];
  /** Adds a fault of a directive. */
  fault(place: Place, what: string): void;
  /** Warns the operator. */
  warn(place: Place, text: string): void;
}

/** A plugin as the configuration sees it. */
export interface PluginSetup {
  readonly name: string;
  /** It answers queries; a block in which no directive does is useless. */
  readonly answers?: boolean;
  /** What a handler with these options does, in a few plain words for `nodens check`. */
  describe?(options: unknown): string;
  /** Reads the directive. Throws `CorefileError` (`tokens.error(…)` makes one). */
  setup(controller: Controller): void;
  /**
   * Called once after all directives were read, if the plugin has handlers: checks and decides what
   * depends on the other directives.
   */
  complete?(whole: WholeConfig<unknown>): void;
}

/** A `setup.ts` needs a library that only some Corefiles need; with it loaded, it works. */
export class LibraryMissing extends Error {
  readonly load: () => Promise<void>;

  constructor(load: () => Promise<void>) {
    super("Cannot read the configuration: a library is not loaded (read it with readConfig)");
    this.name = "LibraryMissing";
    this.load = load;
  }
}
