import { parseArgs } from "node:util";
import { replicasFor } from "./parameters.ts";

/** Flags of the program. */
export const FLAGS = {
  nodes: { type: "string", default: "10,100,1000,10000" },
  seed: { type: "string", default: "1" },
  sample: { type: "string", default: "32" },
  replicas: { type: "string" },
  svg: { type: "string" },
} as const;

const NODES = { min: 1, max: 10_000 } as const;
const SEED = { min: 0, max: 0x7fffffff } as const;
/** A node takes about 25 MB and a CPU second in total. */
const SAMPLE = { min: 1, max: 500 } as const;
const REPLICAS = { min: 1, max: 10_000 } as const;

/** Parsed options. */
export interface Options {
  readonly nodes: readonly number[];
  readonly seed: number;
  /** Maximum simulated nodes of a cluster. */
  readonly sample: number;
  /** Replicas of the cluster DNS by number of nodes. */
  readonly replicas: (nodes: number) => number;
  readonly svg: string | null;
}

/** Parses the arguments. Throws `RangeError` or `TypeError` with the fault. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: FLAGS });
  const fixed = values.replicas === undefined
    ? null
    : wholeNumber("replicas", values.replicas, REPLICAS);
  return {
    nodes: [...new Set(values.nodes.split(",").map((text) => wholeNumber("nodes", text, NODES)))]
      .toSorted((a, b) => a - b),
    seed: wholeNumber("seed", values.seed, SEED),
    sample: wholeNumber("sample", values.sample, SAMPLE),
    replicas: (nodes) => fixed ?? replicasFor(nodes),
    svg: values.svg ?? null,
  };
}

function wholeNumber(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`--${flag}: "${text}" is not a whole number from ${min} to ${max}`);
  }
  return value;
}
