/** An array of BPF, by its descriptor. */
interface MapDescriptor {
  readonly fd: number;
  readonly valueSize: number;
  readonly entries: number;
}

/** Arrays that the data plane shares with the program in the kernel (`engine/kernel/layout.ts`). */
export type KernelMaps = Readonly<Record<"conf" | "buckets" | "small" | "large", MapDescriptor>>;
