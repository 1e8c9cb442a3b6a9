import { RCODE } from "../../dns/constants.ts";
import { FORM } from "../message/inquiry.ts";

/** Against a better form. */
export type Evidence = "refused" | "again" | "none";

/** With other causes too (RFC 6891 section 7). */
const AMBIGUOUS: readonly number[] = [RCODE.NOTIMP, RCODE.REFUSED, RCODE.SERVFAIL];
/** Doubles after each failed trial. */
const PAUSE_MS = { min: 5000, max: 600_000 } as const;
/** Multiple of the patience before EDNS is dropped. */
const EDNS_PATIENCE = 2;
const GIVE_UP_MS = 1000;

/** May concern the form. */
export function isComplaint(rcode: number): boolean {
  return rcode === RCODE.FORMERR || rcode === RCODE.BADVERS || AMBIGUOUS.includes(rcode);
}

/** Null if the form is irrelevant. `doubtful`: no form is supported or refused yet. */
export function formAfter(rcode: number, form: number, doubtful: boolean): number | null {
  if (form === FORM.PLAIN || !isComplaint(rcode)) return null;
  if (AMBIGUOUS.includes(rcode) && !doubtful) return null;
  return rcode === RCODE.FORMERR && form === FORM.OPTIONS ? FORM.EDNS : FORM.PLAIN;
}

/**
 * The EDNS form that a server answers (RFC 6891 section 7). Servers and firewalls refuse EDNS even
 * by silence: the next lower form follows. Copies retry better forms, so clients never wait.
 */
export class EdnsLadder {
  /** Without complaint. Read only. */
  knowsEdns = false;
  #form: number = FORM.OPTIONS;
  #retryMs = Infinity;
  #pauseMs: number = PAUSE_MS.min;
  readonly #silentSinceMs = [Infinity, Infinity, Infinity];
  #rotated: number = FORM.PLAIN;

  /** Fullest answered form. */
  get form(): number {
    return this.#form;
  }

  /** `again`: unanswered before. */
  next(nowMs: number, patienceMs: number, again: boolean): number {
    // One unanswered name must not cost others their DNSSEC records.
    const silentMs = nowMs - this.#silentSinceMs[this.#form]!;
    if (this.knowsEdns && !again && silentMs < GIVE_UP_MS) return this.#form;
    for (let form = this.#form; form <= FORM.PLAIN; form++) {
      const twice = form === FORM.EDNS && this.knowsEdns && !again;
      // Minus infinity if all are answered.
      const silentMs = nowMs - this.#silentSinceMs[form]!;
      if (silentMs < patienceMs * (twice ? EDNS_PATIENCE : 1)) return form;
    }
    // Rotate, so that any form may recover first.
    this.#rotated = this.#rotated < FORM.PLAIN
      ? Math.max(this.#rotated + 1, this.#form)
      : this.#form;
    return this.#rotated;
  }

  sent(form: number, nowMs: number): void {
    if (this.#silentSinceMs[form] === Infinity) this.#silentSinceMs[form] = nowMs;
  }

  heard(form: number): void {
    this.#silentSinceMs[form] = Infinity;
  }

  answered(form: number, nowMs: number, patienceMs: number, evidence: Evidence): void {
    const better = this.#silentSinceMs[form - 1] ?? Infinity;
    const knewEdns = this.knowsEdns;
    this.#silentSinceMs[form] = Infinity;
    if (form < FORM.PLAIN) this.knowsEdns = true;
    if (form <= this.#form) return;
    if (evidence !== "refused" && nowMs - better < patienceMs) return;
    this.#form = form;
    if (form === FORM.PLAIN) this.knowsEdns = false;
    this.#pauseMs = PAUSE_MS.min;
    // Without evidence it may have recovered from an outage.
    this.#retryMs = nowMs + (knewEdns && evidence === "none" ? 0 : this.#pauseMs);
  }

  /** Form to try, or -1; `tried` must follow. */
  toTry(nowMs: number): number {
    if (nowMs < this.#retryMs) return -1;
    this.#retryMs = Infinity;
    return this.#form - 1;
  }

  tried(form: number, answered: boolean, nowMs: number): void {
    if (!answered) {
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.max);
      this.#retryMs = nowMs + this.#pauseMs;
      return;
    }
    this.#form = Math.min(form, this.#form);
    this.knowsEdns = true;
    this.#pauseMs = PAUSE_MS.min;
    this.#silentSinceMs.fill(Infinity);
    this.#retryMs = this.#form === FORM.OPTIONS ? Infinity : nowMs;
  }
}
