/** A program in an object file. */
export interface ObjectProgram {
  /** Instructions of eight octets. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Octet offsets of instructions that name a map. */
  readonly relocations: readonly { readonly at: number; readonly map: string }[];
}

const SECTION_HEADER = 64;
const SYMBOL = 24;
const RELOCATION = 16;
const SHT = { PROGBITS: 1, SYMTAB: 2, REL: 9 } as const;
const SHF_EXECINSTR = 4;
/** The address of a map: an instruction of sixteen octets. */
const R_BPF_64_64 = 1;

/** Reads a little-endian ELF object of clang: one program a section, named like it. */
export function readObject(bytes: Uint8Array<ArrayBuffer>): Map<string, ObjectProgram> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (at: number) => Number(view.getBigUint64(at, true));
  const textAt = (at: number) => new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
  const sections = Array.from({ length: view.getUint16(60, true) }, (_, i) => {
    const header = long(40) + SECTION_HEADER * i;
    return {
      name: view.getUint32(header, true),
      type: view.getUint32(header + 4, true),
      flags: long(header + 8),
      at: long(header + 24),
      size: long(header + 32),
      link: view.getUint32(header + 40, true),
      info: view.getUint32(header + 44, true),
    };
  });
  const names = sections[view.getUint16(62, true)]!;
  const symbols = sections.find(({ type }) => type === SHT.SYMTAB)!;
  const symbolName = (index: number) =>
    textAt(sections[symbols.link]!.at + view.getUint32(symbols.at + SYMBOL * index, true));

  const programs = new Map<string, ObjectProgram>();
  sections.forEach(({ name, type, flags, at, size }, index) => {
    if (type !== SHT.PROGBITS || (flags & SHF_EXECINSTR) === 0 || size === 0) return;
    const relocations = sections.filter(({ type, info }) => type === SHT.REL && info === index)
      .flatMap((table) =>
        Array.from({ length: table.size / RELOCATION }, (_, i) => {
          const entry = table.at + RELOCATION * i;
          if (view.getUint32(entry + 8, true) !== R_BPF_64_64) {
            throw new Error(`Section ${index} has a relocation that is not a map's address`);
          }
          return { at: long(entry), map: symbolName(view.getUint32(entry + 12, true)) };
        })
      );
    programs.set(textAt(names.at + name), { code: bytes.slice(at, at + size), relocations });
  });
  return programs;
}
