import type { SelfChecks } from "../../control/plane/self_checks.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import type { FamilyRules } from "../../node/family_rules.ts";
import { SETUP_ERRORS, type SetupError } from "../../node/setup_error.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { type FailOpenLevel, HEARTBEAT_SECONDS } from "../../node/rules/facts.ts";

const LEVEL_VALUES: Record<FailOpenLevel, number> = { none: 0, heartbeat: 1, socket: 2 };

/** Metrics of the node role. */
export class NodeMetrics {
  readonly #registry: MetricRegistry;
  readonly #errors: Map<SetupError, { add(): void }>;

  constructor(registry: MetricRegistry) {
    this.#registry = registry;
    const name = "coredns_nodecache_setup_errors_total";
    this.#errors = new Map(
      SETUP_ERRORS.map((errortype) => [errortype, registry.counter(name, { errortype })]),
    );
  }

  /** Counts a set-up error under node-cache's name. */
  readonly count = (error: SetupError): void => this.#errors.get(error)!.add();

  readonly onLevel = (family: Family, level: FailOpenLevel): void =>
    this.#registry.gauge("nodens_failopen_level", { family: `${family}` })
      .set(LEVEL_VALUES[level]);

  readonly onRules = ({ family, problem }: Pick<FamilyRules, "family" | "problem">): void =>
    this.#registry.gauge("nodens_node_rules", { family: `${family}` }).set(
      problem === null ? 1 : 0,
    );

  /** Publishes per address whether queries pass nodens by. */
  watchFailOpen(checks: () => Pick<SelfChecks, "entryAges">): void {
    this.#registry.onScrape((book) => {
      for (const { entry: { target: { address } }, ageMs } of checks().entryAges) {
        const stale = ageMs > HEARTBEAT_SECONDS * 1000;
        book.add("nodens_failopen_active", { address }, stale ? 1 : 0);
      }
    });
  }
}
