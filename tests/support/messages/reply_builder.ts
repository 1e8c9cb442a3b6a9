/** Builds replies with every kind of record and every valid or invalid compression. */

/** Labels of a name, as octets. */
export type Labels = readonly (readonly number[])[];

export interface ReplyQuestion {
  name: Labels;
  type: number;
}

export interface ReplyOptions {
  dice: () => number;
  /** Allows malformed names. */
  hostile: boolean;
  /** Maximum per section. */
  records?: number;
}

const RRSIG = 46;
type Kind = readonly [type: number, data: string];

/** Types with their data: digits are octets, `N` a compressible name, `F` another name. */
const KINDS = [
  "1:4 28:16 2:N 3:N 4:N 5:N 6:NN20 7:N 8:N 9:N 12:N 13:SS 14:NN 15:2N 16: 16:S",
  "16:SSS 17:NN 18:2N 21:2N 24:18N9 26:2NN 30:N4 33:6N 35:4SSSN 36:2N 38:17 39:N",
  "43:24 44:G 46:18F30 47:FM 48:K20 50:4SSM 52:23 64:2F6 99:S 257:1S8 65280:0",
  "65280:2P 65281:P1 65282:F",
].flatMap((row) => row.split(" ")).map((kind): Kind => {
  const [type, data] = kind.split(":");
  return [Number(type), data!];
});

const HOSTILE_KINDS = [...KINDS, ...Array<Kind>(15).fill([65283, "T"])];

const text = (label: string) => [...label].map((letter) => letter.charCodeAt(0));
export const labelsOf = (name: string): Labels => name.split(".").filter(Boolean).map(text);

const DEEP = [...Array(100).fill(text("a")), ...labelsOf("example.org")];
/** Names in replies that are not near the question's. */
const FAR: readonly Labels[] = [
  labelsOf("example.org"),
  labelsOf("www.Example.ORG"),
  labelsOf("mail.other.example"),
  [],
  DEEP,
  DEEP.slice(40),
  [text("x".repeat(63)), text("y".repeat(63)), ...labelsOf("example.org")],
  [[0xc0, 12], ...labelsOf("org")],
];

class Builder {
  readonly octets: number[] = [];
  readonly #dice: () => number;
  readonly #hostile: boolean;
  /** Positions of names that a pointer may lead to, by their labels. */
  readonly #places = new Map<string, number[]>();
  readonly #names: Labels[];
  readonly #ttls: number[] = [];
  /** Positions of malformed names in opaque data. */
  readonly #traps: number[] = [];
  #questionEnd = 0;

  constructor({ dice, hostile }: ReplyOptions, { name }: ReplyQuestion) {
    this.#dice = dice;
    this.#hostile = hostile;
    const near = [name, name.slice(1), [text("ns"), ...name.slice(1)]];
    this.#names = [...near.filter((labels) => sizeOf(labels) <= 255), ...FAR];
  }

  one<T>(list: readonly T[]): T {
    return list[this.#dice() % list.length]!;
  }

  chance(oneIn: number): boolean {
    return this.#dice() % oneIn === 0;
  }

  uint16(value: number): void {
    this.octets.push((value >> 8) & 255, value & 255);
  }

  random(size: number): void {
    for (let i = 0; i < size; i++) this.octets.push(this.#dice() & 255);
  }

  anyName(): Labels {
    return this.one(this.#names);
  }

  /** Writes the qname in full and in the query's case, so that the reply is accepted. */
  question(labels: Labels): void {
    labels.forEach((label, i) => {
      this.#places.set(keysOf(labels)[i]!, [this.octets.length]);
      this.octets.push(label.length, ...label);
    });
    this.octets.push(0);
    this.#questionEnd = this.octets.length;
  }

  /** Writes a name; in hostile messages sometimes a malformed one. */
  name(labels: Labels, compressed = true): void {
    if (this.#hostile && this.chance(8)) {
      this.#badName(labels);
      return;
    }
    const keys = keysOf(labels);
    // Sometimes a shorter suffix than possible, or none.
    const least = this.chance(4) ? this.#dice() % (labels.length + 1) : 0;
    for (let i = 0; i < labels.length; i++) {
      const places = this.#places.get(keys[i]!) ?? [];
      const at = this.octets.length;
      if (compressed && i >= least && places.length > 0) {
        this.uint16(0xc000 | this.one(places));
        // A pointer to a pointer is valid too.
        if (at < 0x4000 && this.chance(3)) places.push(at);
        return;
      }
      if (at < 0x4000) this.#places.set(keys[i]!, [...places, at]);
      this.octets.push(labels[i]!.length, ...labels[i]!);
    }
    this.octets.push(0);
  }

  #badName(labels: Labels): void {
    const { octets } = this;
    const at = octets.length;
    if (this.chance(3)) {
      octets.push(...labels.slice(0, 1).flatMap((label) => [label.length, ...label]));
    }
    const targets = [
      at, // the name itself
      octets.length,
      at + 2 + this.#dice() % 300,
      this.#dice() % 12, // the header
      12 + this.#dice() % (this.#questionEnd - 8), // the question, half a label of it, its type
      Math.max(12, at - this.#dice() % 64), // recent octets
      this.#dice() % (at + 1),
      ...[this.#ttls, this.#traps].flatMap((list) => list.length === 0 ? [] : [this.one(list)]),
      ...this.#traps.slice(-2),
    ];
    switch (this.#dice() % 12) {
      case 0:
        octets.push(64 + this.#dice() % 128, 1);
        return;
      case 1:
        for (let i = this.#dice() % 140; i > 0; i--) octets.push(1, 97);
        octets.push(0);
        return;
      case 2: {
        // A chain of pointers, each to the previous one.
        let target = 12;
        const length = this.one([3, 125, 126, 127, 200]);
        for (let i = 0; i < length; i++) {
          const own = octets.length;
          this.uint16(0xc000 | (target & 0x3fff));
          target = own;
        }
        return;
      }
      default:
        this.uint16(0xc000 | (this.one(targets) & 0x3fff));
    }
  }

  record(owner: Labels, [type, data]: Kind, target?: Labels): void {
    this.name(owner);
    const { octets } = this;
    this.#ttls.push(octets.length + 4);
    this.uint16(type);
    this.uint16(this.chance(30) ? 3 : 1);
    const ttl = this.one([60, 300, 3600, 0xc00c, 0x0161_0000, 0xc00c_c00c, 0]);
    this.uint16(ttl >>> 16);
    this.uint16(ttl);
    const lengthAt = octets.length;
    this.uint16(0);
    for (const [step] of data.matchAll(/\d+|\D/g)) this.#step(step, target ?? this.anyName());
    if (this.#hostile && this.chance(40)) this.random(1 + this.#dice() % 4);
    const size = octets.length - lengthAt - 2;
    octets[lengthAt] = size >> 8;
    octets[lengthAt + 1] = size & 255;
  }

  #step(step: string, target: Labels): void {
    const { octets } = this;
    if (step === "N") this.name(target);
    else if (step === "F") this.name(target, false);
    else if (step === "P") octets.push(0xc0, this.#dice() & 255);
    else if (step === "T") this.#trap();
    else if (step === "G") octets.push(1, 1, ...Array(20).fill(7));
    else if (step === "K") octets.push(1, 1, 3, 13);
    else if (step === "M") octets.push(0, 2, 0x40, 1, 1, 1, 0x80);
    else if (step === "S") {
      const size = this.one([0, 1, 5, 12, 255]);
      octets.push(size);
      this.random(size);
    } else this.random(Number(step));
  }

  #trap(): void {
    const { octets } = this;
    const at = octets.length;
    this.#traps.push(at);
    const target = this.#traps.length > 1 && this.chance(2) ? this.one(this.#traps) : at;
    const labels = [this.one([0, 1, 2, 3, 60, 120])].flatMap((count) => Array(count).fill([1, 97]))
      .flat() as number[];
    switch (this.#dice() % 4) {
      case 0:
        // A label that extends over the following data.
        octets.push(...labels, 1 + this.#dice() % 63, 97);
        break;
      case 1:
        octets.push(...labels, 0xc0 | (target >> 8), target & 255);
        break;
      case 2:
        // Labels that contain labels with pointers back.
        this.#traps.push(at + 1);
        octets.push(4, 1, 97, 0xc0 | (target >> 8), target & 255, 0);
        break;
      default:
        octets.push(...labels, 0);
    }
  }

  opt(): void {
    this.octets.push(this.#hostile && this.chance(10) ? 1 : 0);
    this.uint16(41);
    this.uint16(1232);
    this.uint16(0);
    this.uint16(0x8000);
    // An option that resembles names.
    const size = this.#dice() % 60;
    this.uint16(size + 4);
    this.uint16(65001);
    this.uint16(size);
    for (let i = 0; i < size; i++) this.octets.push(this.one([0xc0, 12, 1, 97, 0]));
  }

  count(section: number, records: number): void {
    this.octets[6 + 2 * section] = records >> 8;
    this.octets[7 + 2 * section] = records & 255;
  }
}

/** A reply to the question, otherwise determined by `dice`. */
export function buildReply(question: ReplyQuestion, options: ReplyOptions): Uint8Array {
  const { dice, hostile, records = 6 } = options;
  const builder = new Builder(options, question);
  builder.uint16(0);
  builder.uint16(0x8180 | (builder.chance(8) ? 3 : 0));
  builder.uint16(1);
  for (let i = 0; i < 3; i++) builder.uint16(0);
  builder.question(question.name);
  builder.uint16(question.type);
  builder.uint16(1);

  let owner = question.name;
  let answers = 0;
  for (let aliases = dice() % 4; aliases > 0 && builder.chance(2); aliases--) {
    const target = builder.anyName();
    builder.record(owner, [5, "N"], target);
    owner = target;
    answers++;
  }
  const kinds = hostile ? HOSTILE_KINDS : KINDS;
  const own = KINDS.filter(([type]) => type === question.type);
  for (let i = dice() % records; i > 0; i--) {
    builder.record(
      builder.chance(5) ? builder.anyName() : owner,
      builder.one(own.length > 0 ? own : kinds),
    );
    if (builder.chance(3)) builder.record(owner, [RRSIG, "18F30"]);
    else answers--;
    answers += 2;
  }
  builder.count(0, answers);
  for (const section of [1, 2]) {
    let count = dice() % records;
    builder.count(section, count);
    for (; count > 0; count--) builder.record(builder.anyName(), builder.one(kinds));
    if (section === 2 && builder.chance(3)) continue;
    if (section === 2 || (hostile && builder.chance(40))) {
      builder.opt();
      builder.count(section, builder.octets[7 + 2 * section]! + 1);
    }
  }
  return Uint8Array.from(builder.octets);
}

function sizeOf(labels: Labels): number {
  return labels.reduce((sum, label) => sum + label.length + 1, 1);
}

/** A key for each suffix of a name, longest first; case matters. */
function keysOf(labels: Labels): readonly string[] {
  let keys = known.get(labels);
  if (keys === undefined) {
    const all = labels.map((label) => String.fromCharCode(label.length, ...label));
    keys = all.map((_, i) => all.slice(i).join(""));
    known.set(labels, keys);
  }
  return keys;
}
const known = new WeakMap<Labels, readonly string[]>();
