import { seededRandom } from "../trace.ts";
import { NameBook, type Step } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";

/** The search list's names for one lookup, in order. */
export interface Target {
  readonly steps: readonly Step[];
}

/** Behaviour of a pod. */
export interface Pod {
  readonly targets: readonly Target[];
  readonly draw: (at: number) => Target;
  /** Lookups per second; a burst counts as one. */
  readonly ratePerSecond: number;
}

/** Maps numbers in [0, 1) to Zipf-distributed integers below `count`. */
export function zipfDraw(count: number, exponent: number): (at: number) => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) cumulative[i] = sum += Math.pow(i + 1, -exponent);
  return (at) => {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! <= at * sum) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** A seeded cluster's workloads and their pods. */
export class Workloads {
  readonly book = new NameBook();
  readonly #seed: number;
  readonly #services: number;
  readonly #namespaces: number;
  readonly #workloads: number;
  readonly #drawService: (at: number) => number;
  readonly #drawOutside = zipfDraw(PARAMETERS.outsideNames, PARAMETERS.zipfExponent);
  readonly #known = new Map<number, readonly Target[]>();

  constructor({ nodes, seed }: { nodes: number; seed: number }) {
    const { servicesPerNode, minServices, servicesPerNamespace, podsPerNode, podsPerWorkload } =
      PARAMETERS;
    this.#seed = seed;
    this.#services = Math.max(minServices, Math.round(servicesPerNode * nodes));
    this.#namespaces = Math.ceil(this.#services / servicesPerNamespace);
    this.#workloads = Math.ceil(nodes * podsPerNode / podsPerWorkload);
    this.#drawService = zipfDraw(this.#services, PARAMETERS.zipfExponent);
  }

  /** Pods of a node, from any workload. */
  podsOf(node: number): Pod[] {
    const random = seededRandom(mix(this.#seed, node, 1));
    const { podsPerNode, lookupsPerPodSecond, rateSigma, burst, zipfExponent } = PARAMETERS;
    const perBurst = 1 + burst.share * ((2 + burst.most) / 2 - 1);
    return Array.from({ length: podsPerNode }, () => {
      const targets = this.#targetsOf(Math.floor(random() * this.#workloads));
      const draw = zipfDraw(targets.length, zipfExponent);
      const unevenness = Math.exp(rateSigma * gauss(random) - rateSigma ** 2 / 2);
      return {
        targets,
        draw: (at) => targets[draw(at)]!,
        ratePerSecond: lookupsPerPodSecond / perBurst * unevenness,
      };
    });
  }

  #targetsOf(workload: number): readonly Target[] {
    let targets = this.#known.get(workload);
    if (targets === undefined) {
      const random = seededRandom(mix(this.#seed, workload, 2));
      const namespace = Math.floor(random() * this.#namespaces);
      targets = Array.from(
        { length: PARAMETERS.namesPerWorkload },
        () => this.#target(namespace, random),
      );
      this.#known.set(workload, targets);
    }
    return targets;
  }

  #target(namespace: number, random: () => number): Target {
    const { short, withNamespace, full } = PARAMETERS.forms;
    const form = random();
    const at = random();
    if (form >= short + withNamespace + full) {
      return this.#outside(this.#drawOutside(at), namespace);
    }
    if (form < short) {
      // Service i is in namespace i modulo their number.
      const own = Math.ceil((this.#services - namespace) / this.#namespaces);
      const service = namespace + this.#namespaces * Math.floor(at * own);
      return { steps: this.#search(`s${service}`, namespace) };
    }
    const service = this.#drawService(at);
    const name = `s${service}.n${service % this.#namespaces}`;
    const written = form < short + withNamespace ? name : `${name}.svc.cluster.local`;
    return { steps: this.#search(written, namespace) };
  }

  #outside(number: number, namespace: number): Target {
    const random = seededRandom(mix(this.#seed, number, 3));
    const { outsideTtls, outsideWithIpv6 } = PARAMETERS;
    let at = random();
    const [ttlSeconds] = outsideTtls.find(([, share]) => (at -= share) < 0) ?? outsideTtls[0];
    const ipv6 = random() < outsideWithIpv6;
    const name = `www.d${number}.example`;
    return {
      steps: [
        ...this.#search(name, namespace),
        this.book.step(name, { exists: true, ttlSeconds, ipv6 }),
      ],
    };
  }

  /** The search list's names for a short one, up to the existing one. */
  #search(name: string, namespace: number): Step[] {
    const { suffixes, clusterTtlSeconds, outsideDenialSeconds } = PARAMETERS;
    const steps: Step[] = [];
    const searched = [`n${namespace}.svc.cluster.local`, ...suffixes].map((suffix) =>
      `${name}.${suffix}`
    );
    for (const candidate of name.endsWith(".svc.cluster.local") ? [...searched, name] : searched) {
      const exists = /^s\d+\.n\d+\.svc\.cluster\.local$/.test(candidate);
      const inCluster = candidate.endsWith(".cluster.local");
      const ttlSeconds = inCluster ? clusterTtlSeconds : outsideDenialSeconds;
      steps.push(this.book.step(candidate, { exists, ttlSeconds, searched: !exists }));
      if (exists) break;
    }
    return steps;
  }
}

/** Derives a seed. */
export function mix(seed: number, number: number, sort: number): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15) ^ Math.imul(sort, 0x27d4eb2f), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** A standard normal random number (Box and Muller). */
function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
