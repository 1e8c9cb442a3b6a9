import { HEADER_SIZE } from "../../../dns/constants.ts";
import { parseName } from "../../../dns/name.ts";
import { sameName } from "../../../engine/question/fold.ts";
import type { Question } from "../../../engine/question/question.ts";

/** Labels of a name (RFC 1035 section 2.3.4). */
const MAX_LABELS = 128;
const SVC = Uint8Array.of(3, 0x73, 0x76, 0x63);
const POD = Uint8Array.of(3, 0x70, 0x6f, 0x64);

const labels = new Uint32Array(MAX_LABELS);

/** Offsets in a message, the shortest name first. */
export interface Ancestors {
  readonly at: Uint32Array;
  count: number;
}

/** Services are `SERVICE.NAMESPACE.svc.ZONE`. */
export class ClusterZone {
  readonly text: string;
  readonly #name: Uint8Array;
  readonly #labelCount: number;

  constructor(text: string) {
    this.text = text;
    this.#name = parseName(text);
    let count = 0;
    for (let at = 0; this.#name[at] !== 0; at += this.#name[at]! + 1) count++;
    this.#labelCount = count;
  }

  nameOf(prefix: string): Uint8Array {
    return parseName(`${prefix}.${this.text}`);
  }

  /**
   * Names above the question's, just below a search suffix: NAMESPACE.svc.ZONE,
   * SERVICE.NAMESPACE.svc.ZONE or NAME.ZONE. False if not below this zone.
   */
  ancestors(question: Question, found: Ancestors): boolean {
    found.count = 0;
    const { memory: { bytes }, offset, labelCount, qnameLength } = question;
    const above = labelCount - this.#labelCount;
    if (above <= 0) return false;
    let at = offset + HEADER_SIZE;
    const end = at + qnameLength;
    for (let i = 0; i < above; i++) {
      labels[i] = at;
      at += bytes[at]! + 1;
    }
    const zone = this.#name;
    if (end - at !== zone.length || !sameName(bytes, at, zone, 0, zone.length)) return false;
    const last = labels[above - 1]!;
    if (sameName(bytes, last, SVC, 0, SVC.length)) {
      for (let label = above - 2; label > 0 && found.count < 2; label--) {
        found.at[found.count++] = labels[label]!;
      }
    } else if (above > 1 && !sameName(bytes, last, POD, 0, POD.length)) {
      found.at[found.count++] = last;
    }
    return true;
  }
}
