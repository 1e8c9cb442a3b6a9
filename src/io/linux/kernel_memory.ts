import type { KernelMemory } from "../../engine/kernel/table.ts";
import { mapArray } from "../../sys/bpf/bpf.ts";
import type { KernelMaps } from "../kernel_maps.ts";

/** Maps the arrays into this thread. Throws if the kernel refuses. */
export function openKernelMemory(maps: KernelMaps): { memory: KernelMemory; unmap: () => void } {
  const opened: { memory: ArrayBuffer; unmap(): void }[] = [];
  const unmap = () => opened.forEach((one) => one.unmap());
  const open = (name: keyof KernelMaps) => {
    const mapped = mapArray(maps[name]);
    opened.push(mapped);
    return mapped.memory;
  };
  try {
    const memory = {
      conf: open("conf"),
      buckets: open("buckets"),
      small: open("small"),
      large: open("large"),
    };
    return { memory, unmap };
  } catch (error) {
    unmap();
    throw error;
  }
}
