/** What `guest/load_programs.c` loads and runs, as its header. */
import { CONF, SLOT } from "../../src/engine/kernel/layout.ts";
import { PROGRAMS } from "../../src/kernel/program/program.ts";
import { answerTo } from "../support/kernel/model.ts";
import { mutated } from "../support/kernel/mutations.ts";
import {
  ETHERNET,
  type Family,
  frameOf,
  messageAt,
  queryMessage,
  type Question,
  sumOfHeader,
  sumOfUdp,
} from "../support/kernel/packets.ts";
import { BUCKETS, ENDPOINTS, MAP_SIZES, VERDICT } from "../support/kernel/program_rig.ts";
import { type Entry, records, writeConf, writeEntry } from "../support/kernel/slots.ts";
import { viewOf } from "../support/messages/wire.ts";
import { seeded } from "../support/run/random.ts";

const NAME = "www.example.org";
const TTL = 300;
const HOUR = 3_600_000_000_000n;
/** BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_PERCPU_ARRAY. */
const MAP_TYPE = { shared: 2, perCpu: 6 } as const;
const VERDICTS = {
  tc_redirect: VERDICT.redirect,
  // No socket has sent the packets.
  tc_local: VERDICT.next,
} as const;

const ENTRIES: readonly Entry[] = [0, 1].flatMap((endpoint) => [
  { name: NAME, endpoint, ...records(1) },
  { name: NAME, endpoint, key: 1, ...records(12, 5) },
  { name: "x", endpoint, ...records(40) },
  { name: "large.example", endpoint, ...records(1, 1150) },
]);
const QUESTIONS: Readonly<Record<string, Question>> = {
  "plain": { name: NAME },
  "with EDNS, mixed case": { name: "wWw.Example.ORG", edns: {} },
  "with DO": { name: NAME, edns: { dnssecOk: true } },
  "40 records": { name: "x", edns: {} },
  "1,200 octets": { name: "large.example", edns: {} },
  "too large": { name: "x" },
  "not published": { name: "y" },
  "of another form": { name: NAME, flags: 0x8100 },
};

/** Malformed packets. */
const MALFORMED = 200;

/** How many packets each program gets. */
export const PACKETS = 2 * Object.keys(QUESTIONS).length + MALFORMED;

/** The text of "programs.h". */
export function programsHeader(): string {
  const memories = {
    conf: memory("conf"),
    buckets: memory("buckets"),
    small: memory("small"),
    large: memory("large"),
  };
  writeConf(memories.conf, { aliveUntil: HOUR, buckets: BUCKETS, endpoints: ENDPOINTS });
  const used = { small: 0, large: 0 };
  const times = [`{ 0, ${CONF.ALIVE_UNTIL} }`];
  for (const entry of ENTRIES) {
    const expires = BigInt(TTL) * 1_000_000_000n;
    const { kind, at } = writeEntry(memories, used, { ...entry, expires }, 0n);
    const map = Object.keys(memories).indexOf(kind);
    times.push(`{ ${map}, ${at + SLOT.EXPIRES} }`, `{ ${map}, ${at + SLOT.REFRESH} }`);
  }
  const scratch = PROGRAMS.tc_redirect.scratch!;
  const names = [...Object.keys(MAP_SIZES), scratch.map];
  const maps = Object.entries(MAP_SIZES).map(([name, { valueSize, entries }]) => {
    const content = memories[name as keyof typeof memories];
    const type = content === undefined ? MAP_TYPE.perCpu : MAP_TYPE.shared;
    const used = content === undefined ? "0, 0" : `${octets(content)}, ${content.length}`;
    return `{ "${name}", ${type}, ${valueSize}, ${entries}, ${used} }`;
  });
  maps.push(`{ "${scratch.map}", ${MAP_TYPE.perCpu}, ${scratch.sizeBytes}, 1, 0, 0 }`);
  const programs = Object.entries(PROGRAMS).map(([name, { code, relocations }]) => {
    const bytes = Uint8Array.from(atob(code), (char) => char.charCodeAt(0));
    const places = relocations.map(({ at, map }) => `{ ${at}, ${names.indexOf(map)} }`);
    return `{ "${name}", ${octets(bytes)}, ${bytes.length}, ${places.length}, ` +
      `(const struct relocation[]) { ${places} } }`;
  });
  return [
    "static const struct { unsigned map, at; } times[] = {",
    ...times.map((time) => `${time},`),
    "};",
    "static const struct map maps[] = {",
    ...maps.map((map) => `${map},`),
    "};",
    "static const struct program programs[] = {",
    ...programs.map((program) => `${program},`),
    "};",
    "static const struct packet packets[] = {",
    ...packets().map((packet) => `${packet},`),
    "};",
    "",
  ].join("\n");
}

function packets(): string[] {
  const world = { endpoints: ENDPOINTS, entries: ENTRIES };
  const found = ([4, 6] as Family[]).flatMap((family) =>
    Object.entries(QUESTIONS).map(([title, question]) => {
      const frame = frameOf({ family, message: queryMessage(question) });
      const answer = answerTo(frame, world, TTL);
      const out = answer === null ? null : withSums(answer, family);
      return packet(`over IPv${family}: ${title}`, frame, out);
    })
  );
  const random = seeded(1);
  const whole = ([4, 6] as Family[]).map((family) =>
    frameOf({ family, message: queryMessage({ name: NAME, edns: {} }) })
  );
  while (found.length < PACKETS) {
    const frame = mutated(random, whole[found.length % 2]!);
    if (answerTo(frame, world, TTL) !== null) continue;
    found.push(packet(`malformed: ${frame.toHex()}`, frame, null));
  }
  return found;
}

/** `answer` null: untouched, as with each verdict "next". */
function packet(title: string, frame: Uint8Array, answer: Uint8Array | null): string {
  const verdicts = Object.values(VERDICTS).map((one) => answer === null ? VERDICT.next : one);
  const out = answer ?? frame;
  return `{ "${title}", ${octets(frame)}, ${frame.length}, ` +
    `${octets(out)}, ${out.length}, { ${verdicts} } }`;
}

/** Puts in the checksums, which are 0. */
function withSums(frame: Uint8Array, family: Family): Uint8Array {
  const view = viewOf(frame);
  if (family === 4) view.setUint16(ETHERNET + 10, ~sumOfHeader(frame) & 0xffff);
  view.setUint16(messageAt(family) - 2, ~sumOfUdp(frame) & 0xffff || 0xffff);
  return frame;
}

function memory(name: keyof typeof MAP_SIZES): Uint8Array {
  const { valueSize, entries } = MAP_SIZES[name];
  return new Uint8Array(valueSize * entries);
}

function octets(bytes: Uint8Array): string {
  return `(uint8_t[]) { ${[...bytes]} }`;
}
