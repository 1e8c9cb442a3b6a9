import { type Libc, openLibc } from "../../../src/sys/libc.ts";

/** glibc, whose functions a test may replace. */
export type ChangedLibc = { -readonly [Call in keyof Libc]: Libc[Call] };

/** glibc with `changes`, and with what is assigned later. */
export function changedLibc(changes: Partial<ChangedLibc> = {}): ChangedLibc {
  return new Proxy(changes, {
    get: (own, name) => Reflect.get(own, name) ?? Reflect.get(openLibc(), name),
  }) as ChangedLibc;
}
