import { rawNameText } from "../../../src/engine/observe/raw_name.ts";
import type {
  ListCount,
  ListName,
  ListReply,
  ListSpan,
  ObserveRequest,
  SightingLine,
  TallyReply,
  WatchFilter,
  WatchReply,
} from "../../../src/engine/observe/requests.ts";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, Simulation } from "../../support/simulation/simulation.ts";

/** Answers every name; names that begin with "no" do not exist, "bad" fails, "slow" takes 80 ms. */
export const upstream: Behaviour = (query) => {
  const { name } = query.questions![0]!;
  if (name.startsWith("no")) return [{ bytes: responseBytes(query, { rcode: 3 }) }];
  if (name.startsWith("bad")) return [{ bytes: responseBytes(query, { rcode: 5 }) }];
  const answers = [a(name, "192.0.2.7", 300)];
  return [{ bytes: responseBytes(query, { answers }), delayMs: name.startsWith("slow") ? 80 : 1 }];
};

export const COREFILE = `example.org {
  cache
  forward . 10.0.0.1
}
local.test {
  template IN A {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
  }
}
drop.test {
  acl {
    drop
  }
  template IN A {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
  }
}`;

export const ANY: WatchFilter = { client: null, zone: null, rcodes: [], slowMs: 0, sample: 1 };

/** A simulation that observes queries. */
export class Scene extends Simulation {
  constructor(options: ConstructorParameters<typeof Simulation>[1] = {}) {
    super(COREFILE, { observes: true, ...options });
    this.upstream("10.0.0.1:53", upstream);
  }

  query(name: string, { client, type = "A", runMs = 10 }: {
    client?: string;
    type?: string;
    runMs?: number;
  } = {}): void {
    this.ask(queryBytes({ name, type }), 0, client);
    this.run(runMs);
  }

  request<T>(request: ObserveRequest): T {
    return this.engine.observe(request) as T;
  }

  list(list: ListName, span: ListSpan = "minute"): ListReply {
    const reply = this.request<ListReply>({ type: "list", list, span });
    const text = (raw: string) => list === "clients" ? raw : rawNameText(raw);
    return {
      ...reply,
      counts: reply.counts.map((one) => ({ ...one, text: text(one.text) })),
      slow: reply.slow.map(formatted),
    };
  }

  /** Counts by text; entries of several periods are added. */
  counts(
    list: ListName,
    span: ListSpan = "minute",
    keyOf: (one: ListCount) => string = ({ text }) => text,
  ): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const one of this.list(list, span).counts) {
      sums[keyOf(one)] = (sums[keyOf(one)] ?? 0) + one.count;
    }
    return sums;
  }

  tallies(): TallyReply {
    return this.request<TallyReply>({ type: "tallies" });
  }

  watch(filter: Partial<WatchFilter> = {}, id = "a"): WatchReply {
    const reply = this.request<WatchReply>({ type: "watch", id, filter: { ...ANY, ...filter } });
    return { ...reply, lines: reply.lines.map(formatted) };
  }
}

function formatted(line: SightingLine): SightingLine {
  return { ...line, name: rawNameText(line.name) };
}
