import type { Companion, CompanionServices } from "../companion.ts";
import { HostsBuilder } from "./companion/builder.ts";
import { HostsFiles } from "./companion/files.ts";

/** Reads hosts files after changes; delivers tables. */
export function createHostsCompanion(services: CompanionServices): Companion<HostsFiles> {
  const { planes, log, registry } = services;
  const builder = new HostsBuilder();
  return {
    follow: (config, { deliver, previous }) =>
      new HostsFiles(config, { deliver, previous, copies: planes.length, builder, log, registry }),
  };
}
