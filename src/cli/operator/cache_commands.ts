import { type Command, command } from "../command.ts";
import { boolean, text } from "../flags.ts";
import { OPERATOR_EXITS, OPERATOR_FLAGS } from "./flags.ts";

const BLOCK = text("ZONE", "only server blocks that serve this zone");

const FLUSH = command({
  name: "flush",
  summary: "forget names, zones or everything that is cached",
  forms: [
    { args: "[-type TYPE] [-block ZONE] NAME", summary: "a name" },
    { args: "[-type TYPE] [-block ZONE] ZONE/", summary: "a zone: the name and all below" },
    { args: "[-type TYPE] [-block ZONE] -all", summary: "everything" },
  ],
  description: [
    "Failures and stale entries go too, and answers that are on their way are not kept.",
  ],
  flags: {
    ...OPERATOR_FLAGS,
    all: boolean("forget everything"),
    type: text("TYPE", "only this type, like AAAA"),
    block: BLOCK,
  },
  operands: [{ name: "[NAME]" }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./cache.ts")).flush }),
});

const LOOKUP = command({
  name: "lookup",
  summary: "show what is cached for a name, without asking for it",
  forms: [{ args: "[-block ZONE] NAME [TYPE]" }],
  flags: { ...OPERATOR_FLAGS, block: BLOCK },
  operands: [{ name: "NAME" }, { name: "[TYPE]" }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./cache.ts")).lookup }),
});

const DUMP = command({
  name: "dump",
  summary: "print the cache in the format of zone files",
  forms: [{ args: "[-block ZONE] [ZONE]" }],
  description: ["Denials and failures are comments. With ZONE, the name and all below."],
  flags: { ...OPERATOR_FLAGS, block: BLOCK },
  operands: [{ name: "[ZONE]" }],
  exitCodes: OPERATOR_EXITS,
  load: async () => ({ run: (await import("./cache.ts")).dump }),
});

/** Commands about what is cached. */
export const CACHE_COMMANDS: readonly Command[] = [FLUSH, LOOKUP, DUMP];
