import { systemClock } from "../base/clock.ts";
import { foreignPrograms, programText } from "./interface_programs.ts";
import type { AttachKind } from "./interfaces.ts";
import { closeArrays, createMaps, mapSizes } from "./maps.ts";
import { linuxOperations } from "./operations.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { checkProcess, type ProcessFacts } from "./requirements.ts";
import { type Candidate, chooseInterfaces, type Selection, waysOf } from "./selection.ts";

/** What hits in the kernel would find on this machine. */
export interface ProbeResult {
  /** Null if possible. */
  readonly refusal: Refusal | null;
  readonly attach: AttachKind | null;
  readonly loaded: boolean;
  readonly candidates: readonly string[];
  readonly unsuitable: ReadonlyMap<string, string>;
  readonly foreign: readonly { name: string; text: string; isOfPods: boolean }[];
  /** With a filter of nodens, by clsact. */
  readonly filtered: readonly string[];
  /** Bridges where packets pass the rules of NAT first. */
  readonly afterNat: readonly string[];
}

/** Looks, and with `load` has the program verified; attaches nothing. */
export async function probeKernelHits(
  selection: Selection,
  process: ProcessFacts,
  { load }: { load: boolean },
): Promise<ProbeResult> {
  const operations = linuxOperations(systemClock);
  let refusal: Refusal | null = null;
  let attach: AttachKind | null = null;
  let loaded = false;
  try {
    checkProcess(process);
    attach = operations.attachKind();
    if (load) {
      const maps = createMaps(mapSizes(0));
      try {
        for (const way of waysOf(selection)) operations.close(await operations.load(way, maps));
        loaded = true;
      } finally {
        closeArrays(Object.values(maps));
      }
    }
  } catch (error) {
    refusal = refusalOf(attach === null ? "maps" : "load", error);
  }
  const interfaces = operations.openInterfaces(attach ?? "clsact", new Map());
  try {
    const links = interfaces.listLinks();
    const { candidates, unsuitable } = chooseInterfaces(links, selection, interfaces.uplinks());
    const bridges = new Set(
      links.filter(({ kind }) => kind === "bridge").map(({ index }) => index),
    );
    const programs = candidates.map((candidate) => ({
      candidate,
      programs: programsOn(candidate),
    }));
    return {
      ...{ refusal, attach, loaded, unsuitable },
      candidates: candidates.map(({ name }) => name),
      foreign: programs.flatMap(({ candidate: { name, way }, programs }) =>
        foreignPrograms(programs, new Set()).map((program) => {
          return { name, text: programText(program), isOfPods: way !== "local" };
        })
      ),
      filtered: programs.filter(({ programs }) =>
        programs.some((one) =>
          one.where === "tc ingress" && foreignPrograms([one], new Set()).length === 0
        )
      ).map(({ candidate }) => candidate.name),
      afterNat: candidates.filter(({ index }) => bridges.has(index) && interfaces.bridgesPassNat())
        .map(({ name }) => name),
    };
  } finally {
    interfaces.close();
  }

  function programsOn({ index }: Candidate) {
    try {
      return interfaces.programsOn(index);
    } catch {
      // It has gone.
      return [];
    }
  }
}
