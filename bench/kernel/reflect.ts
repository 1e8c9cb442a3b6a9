import { compileForKernel } from "../../release/kernel_program.ts";
import { PROGRAMS } from "../../src/kernel/program/program.ts";
import type { KernelProgram } from "../../src/sys/bpf/bpf.ts";

const SOURCE = new URL("reflect.c", import.meta.url).pathname;

/** Compiles the program that only sends queries back, for a way as in `PROGRAMS`; needs clang. */
export async function compileReflection(key: keyof typeof PROGRAMS): Promise<KernelProgram> {
  const found = await compileForKernel(SOURCE);
  const { code, relocations } = found.get(key.replace("_", "/"))!;
  const text = btoa(String.fromCharCode(...code));
  return { name: "nodens_reflect", code: text, relocations, scratch: null };
}
