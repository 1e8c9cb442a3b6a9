import { Address } from "../../dns/address.ts";
import { RCODE } from "../../dns/constants.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { EngineServices } from "../handler.ts";
import { ClientTable } from "./client_table.ts";

/** Namespaces with own counters, far above a node's. */
export const MAX_GROUPS = 256;

const UNKNOWN = "(unknown)";
const OTHER = "(other)";

type Services = Pick<EngineServices, "clientAddress" | "counter" | "values">;

interface Group {
  readonly queries: number;
  readonly failures: number;
  readonly denials: number;
}

/** Names an engine's clients; returns the previous table's buffer. */
export function nameClients(
  engine: Services & { clients: ClientGroups | null },
  table: ArrayBuffer,
): ArrayBuffer | null {
  const before = engine.clients?.replace(table) ?? null;
  engine.clients ??= new ClientGroups(engine, table);
  return before;
}

/** Names of clients; counters by namespace. Counting allocates nothing. */
export class ClientGroups {
  readonly #engine: Services;
  readonly #address = new Address();
  readonly #known = new Map<string, Group>();
  readonly #unknown: Group;
  #table: ClientTable;
  /** By the table's numbers. */
  #groups: readonly Group[] = [];

  constructor(engine: Services, buffer: ArrayBuffer) {
    this.#engine = engine;
    this.#unknown = this.#makeGroup(UNKNOWN);
    this.#table = new ClientTable(buffer);
    this.#assignGroups();
  }

  /** Returns the previous table's buffer. */
  replace(buffer: ArrayBuffer): ArrayBuffer {
    const before = this.#table.buffer;
    this.#table = new ClientTable(buffer);
    this.#assignGroups();
    return before;
  }

  count(exchange: Exchange, sizeBytes: number): void {
    const entry = this.#find(exchange);
    const group = entry < 0 ? this.#unknown : this.#groups[this.#table.namespaceAt(entry)]!;
    const { values } = this.#engine;
    values[group.queries]!++;
    const { response } = exchange;
    const rcode = response === null || sizeBytes === 0 ? RCODE.SERVFAIL : response.rcode;
    if (rcode === RCODE.SERVFAIL) values[group.failures]!++;
    else if (rcode === RCODE.NXDOMAIN) values[group.denials]!++;
  }

  /** "" if unknown. Allocates. */
  nameOf(exchange: Exchange): string {
    const entry = this.#find(exchange);
    return entry < 0 ? "" : this.#table.nameAt(entry);
  }

  #find(exchange: Exchange): number {
    const { origin } = exchange;
    // Its number may be another client's now.
    if (origin.kind === "stream" && origin.gone) return -1;
    this.#engine.clientAddress(exchange, this.#address);
    return this.#table.find(this.#address);
  }

  #assignGroups(): void {
    this.#groups = this.#table.namespaces.map((namespace) => {
      const known = this.#known.get(namespace);
      if (known !== undefined) return known;
      const full = this.#known.size >= MAX_GROUPS;
      const group = this.#makeGroup(full ? OTHER : namespace);
      if (!full) this.#known.set(namespace, group);
      return group;
    });
  }

  #makeGroup(namespace: string): Group {
    // Prometheus often has a label "namespace" for nodens's own pod.
    const labels = { client_namespace: namespace };
    const counter = (name: string) => this.#engine.counter(name, labels);
    return {
      queries: counter("nodens_client_queries_total"),
      failures: counter("nodens_client_failures_total"),
      denials: counter("nodens_client_nxdomain_total"),
    };
  }
}
