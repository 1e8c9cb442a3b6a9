/** Programs on interfaces, as the kernel lists them. */
import { visibleText } from "../base/visible.ts";

/** The name of the program in the kernel, and of its filter. */
export const PROGRAM_NAME = "nodens_hits";

/** A program or filter on an interface. */
export interface InterfaceProgram {
  /** "TCX ingress", "tc egress", … */
  readonly where: string;
  readonly id: number;
  /** Empty if it may not be read, which needs SYS_ADMIN. */
  readonly name: string;
  /** Of filters; "bpf" for programs. */
  readonly kind: string;
}

/** Programs of others; `own` are ids of this process. */
export function foreignPrograms(
  programs: readonly InterfaceProgram[],
  own: ReadonlySet<number>,
): InterfaceProgram[] {
  return programs.filter(({ id, kind, name }) =>
    kind !== "bpf" || (name !== PROGRAM_NAME && !own.has(id))
  );
}

/** Whether another program may be that of another nodens process. */
export function isUnreadable({ kind, name }: InterfaceProgram): boolean {
  return kind === "bpf" && name === "";
}

/** Names a program. */
export function programText({ where, id, name, kind }: InterfaceProgram): string {
  if (kind !== "bpf") return `a ${kind} filter (${where})`;
  const what = name === "" ? `the program ${id}, whose name cannot be read` : `"${name}"`;
  return visibleText(`${what} (${where})`).replace(/[\n\t]/g, " ");
}
