/**
 * Maps of the program. The memory of arrays is allocated in full when they are made, and counts
 * towards the memory limit of the container.
 */
import {
  BUCKET_SIZE,
  CONF_SIZE,
  LARGE_SLOT,
  MAX_BUCKETS,
  OUTCOMES_SIZE,
  SMALL_SLOT,
  WAYS,
} from "../engine/kernel/layout.ts";
import type { KernelMaps } from "../io/kernel_maps.ts";
import { type BpfArray, closeDescriptor, createArray } from "../sys/bpf/bpf.ts";
import { Refusal } from "./refusal.ts";

/** All maps of the program: those that the data plane writes, and counts for each processor. */
export type ProgramMaps = Readonly<Record<keyof KernelMaps | "outcomes", BpfArray>>;

/** Numbers of entries. */
export interface MapSizes {
  readonly buckets: number;
  readonly small: number;
  readonly large: number;
  readonly bytes: number;
}

/** Small slots: a power of two. */
const SLOTS = { min: 1024, max: 16384 } as const;
/** Small slots for each large one: few answers have more than 168 octets. */
const SMALL_PER_LARGE = 32;
/** Expected slots of a bucket, half of its ways. */
const FILL = WAYS / 2;

/** Sizes for a number of cached answers, within `limitBytes`. Throws a `Refusal` below the least. */
export function mapSizes(answers: number, limitBytes = Infinity): MapSizes {
  let sizes = sizesOf(Math.min(Math.max(powerOfTwo(answers), SLOTS.min), SLOTS.max));
  while (sizes.bytes > limitBytes && sizes.small > SLOTS.min) sizes = sizesOf(sizes.small / 2);
  if (sizes.bytes <= limitBytes) return sizes;
  const kibibytes = (bytes: number) => `${Math.ceil(bytes / 1024)} KiB`;
  throw new Refusal(
    "memory",
    `the memory limit leaves ${kibibytes(limitBytes)} for the maps, the least is ` +
      kibibytes(sizes.bytes),
    "raise the memory limit",
  );
}

/** Creates all maps, or none. Throws `BpfError`. */
export function createMaps(sizes: MapSizes): ProgramMaps {
  const made: BpfArray[] = [];
  const create = (...parameters: Parameters<typeof createArray>) => {
    const array = createArray(...parameters);
    made.push(array);
    return array;
  };
  try {
    return {
      conf: create("conf", { valueSize: CONF_SIZE, entries: 1 }),
      buckets: create("buckets", { valueSize: BUCKET_SIZE, entries: sizes.buckets }),
      small: create("small", { valueSize: SMALL_SLOT.sizeBytes, entries: sizes.small }),
      large: create("large", { valueSize: LARGE_SLOT.sizeBytes, entries: sizes.large }),
      outcomes: create("outcomes", { valueSize: OUTCOMES_SIZE, entries: 1, perCpu: true }),
    };
  } catch (error) {
    closeArrays(made);
    throw error;
  }
}

/** Closes the descriptors; programs and mappings keep maps alive. */
export function closeArrays(
  arrays: readonly BpfArray[],
  close: (fd: number) => void = closeDescriptor,
): void {
  for (const { fd } of arrays) close(fd);
}

function sizesOf(small: number): MapSizes {
  const large = small / SMALL_PER_LARGE;
  const buckets = Math.min(powerOfTwo(Math.ceil((small + large) / FILL)), MAX_BUCKETS);
  const bytes = buckets * BUCKET_SIZE + small * SMALL_SLOT.sizeBytes +
    large * LARGE_SLOT.sizeBytes + CONF_SIZE;
  return { buckets, small, large, bytes };
}

function powerOfTwo(number: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(number, 1)));
}
