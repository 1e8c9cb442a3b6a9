import { seededRandom } from "../trace.ts";
import { Agenda } from "./agenda.ts";
import type { Behaviour } from "./behaviours.ts";
import type { Event } from "./events.ts";
import { Measures } from "./measures.ts";
import { PARAMETERS, TIMELINE, type Timeline } from "./parameters.ts";
import { NoCache } from "./node_cache.ts";
import { Servers } from "./servers.ts";
import { Lookup, type NodeDns } from "./stub.ts";
import { mix, type Pod, Workloads } from "./workload.ts";

/** Options of a simulated cluster. */
export interface ClusterOptions {
  readonly nodes: number;
  /** Simulated nodes; each represents `nodes / sample`. */
  readonly sample: number;
  readonly replicas: number;
  readonly seed: number;
  /** Default: `TIMELINE`. */
  readonly timeline?: Timeline;
}

/** Result of a run; `scale` converts series to the cluster. */
export interface Result {
  readonly measures: Measures;
  readonly scale: number;
  readonly timeline: Timeline;
  /** Second of the event's end. */
  readonly overAt: number;
  /** Second of the run's end. */
  readonly endsAt: number;
}

/**
 * Runs one behaviour through one event.
 *
 * Nodes interact only through the latency of the cluster DNS, so a sample queries a proportional
 * share of its capacity.
 */
export function runCluster(
  behaviour: Behaviour,
  { event, cluster }: { event: Event; cluster: ClusterOptions },
): Result {
  const { nodes, sample, replicas, seed, timeline = TIMELINE } = cluster;
  const { steadyFrom, eventFrom } = timeline;
  const overAt = eventFrom + timeline[event];
  const endsAt = overAt + timeline.after;

  const agenda = new Agenda();
  const measures = new Measures({ seconds: endsAt, steady: [steadyFrom, eventFrom] });
  const servers = new Servers(agenda, {
    perSecond: replicas * PARAMETERS.replicaPerSecond * sample / nodes,
    random: seededRandom(mix(seed, 0, 4)),
    measures,
  });
  const workloads = new Workloads({ nodes, seed });
  const create = behaviour.create({ agenda, servers, book: workloads.book });
  const comesBack = seededRandom(mix(seed, 0, 7));
  for (let index = 0; index < sample; index++) {
    const world = { agenda, measures, dns: create(mix(seed, index, 5)) };
    const random = seededRandom(mix(seed, index, 6));
    const node = new Node(world, { pods: workloads.podsOf(index), random });
    node.run();
    if (event === "update") {
      node.update(eventFrom, overAt, new NoCache(agenda, servers));
    } else if (event === "restart") {
      const startsAt = overAt + timeline.nodesWithin * comesBack();
      node.restart(eventFrom, { startsAt, podsWithin: timeline.podsWithin });
    }
  }
  if (event === "outage") {
    agenda.at(1000 * eventFrom, () => servers.down = true);
    agenda.at(1000 * overAt, () => servers.down = false);
  }
  agenda.run(1000 * endsAt);
  return { measures, scale: nodes / sample, timeline, overAt, endsAt };
}

/** A node with its pods. */
class Node {
  readonly #agenda: Agenda;
  readonly #measures: Measures;
  #dns: NodeDns;
  readonly #pods: readonly Pod[];
  readonly #random: () => number;
  /** Counts starts; earlier work is discarded. */
  #life = 0;

  constructor(
    world: { agenda: Agenda; measures: Measures; dns: NodeDns },
    { pods, random }: { pods: readonly Pod[]; random: () => number },
  ) {
    this.#agenda = world.agenda;
    this.#measures = world.measures;
    this.#dns = world.dns;
    this.#pods = pods;
    this.#random = random;
  }

  run(): void {
    this.#pods.forEach((_, pod) => this.#wait(pod));
  }

  /** Restarts the node; only what `persist` writes survives. */
  restart(stopsAt: number, options: { startsAt: number; podsWithin: number }): void {
    const { startsAt, podsWithin } = options;
    this.#agenda.at(1000 * stopsAt, () => {
      this.#life++;
      this.#dns.stop();
    });
    this.#agenda.at(1000 * startsAt, () => {
      this.#dns.start(1000 * (startsAt - stopsAt));
      this.#pods.forEach(({ targets }, pod) =>
        this.#agenda.after(1000 * podsWithin * this.#random(), () => {
          for (const target of targets) this.#lookUp(pod, target);
          this.#wait(pod);
        })
      );
    });
  }

  /** Restarts the cache; meanwhile, without its rules, pods ask `direct`. */
  update(stopsAt: number, startsAt: number, direct: NodeDns): void {
    const own = this.#dns;
    this.#agenda.at(1000 * stopsAt, () => {
      own.stop();
      this.#dns = direct;
    });
    this.#agenda.at(1000 * startsAt, () => {
      own.start(1000 * (startsAt - stopsAt));
      this.#dns = own;
    });
  }

  #wait(pod: number): void {
    const life = this.#life;
    const { ratePerSecond, draw } = this.#pods[pod]!;
    this.#agenda.after(-1000 * Math.log(1 - this.#random()) / ratePerSecond, () => {
      if (life !== this.#life) return;
      const target = draw(this.#random());
      const { share, most } = PARAMETERS.burst;
      const count = this.#random() < share ? 2 + Math.floor(this.#random() * (most - 1)) : 1;
      for (let i = 0; i < count; i++) this.#lookUp(pod, target);
      this.#wait(pod);
    });
  }

  #lookUp(pod: number, target: Pod["targets"][number]): void {
    const life = this.#life;
    const world = {
      agenda: this.#agenda,
      measures: this.#measures,
      dns: this.#dns,
      alive: () => life === this.#life,
    };
    new Lookup(world, { target, client: pod }).send();
  }
}
