import type { ImportView } from "../corefile/import_paths.ts";

/** View of the machine for configurations. */
export interface HostView extends ImportView {
  hostname(): string;
  /** IPv6 link-local addresses have a scope (`%eth0`). */
  interfaces(): { name: string; address: string }[];
}
