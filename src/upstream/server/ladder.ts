import { FORM } from "../message/form.ts";

/**
 * Evidence against a better form from the same question: the server refused it in so many words, or
 * left it unanswered; "none" if only other questions went so.
 */
export type Evidence = "refused" | "again" | "none";

/** Pause before a better form is tried again, in milliseconds; twice as long after each failure. */
const PAUSE_MS = { min: 5000, max: 600_000 } as const;
/** EDNS is given up after so many times the usual time in silence, if the server has known it. */
const EDNS_PATIENCE = 2;
/** Silence after which even other questions get a lower form: the longest patience. */
const GIVE_UP_MS = 1000;

/**
 * Which form of a query one server answers (RFC 6891 section 7).
 *
 * Servers and firewalls refuse EDNS in many ways; the worst is silence. So a form that goes
 * unanswered is followed by the next lower one, and if that is answered, the server is asked so from
 * then on. A better form is tried from time to time, because servers and paths change; that is done
 * with a copy of a query, so that no client waits for it.
 */
export class EdnsLadder {
  /** The best form that the server answers, as far as is known. */
  #form: number = FORM.OPTIONS;
  #retryMs = Infinity;
  #pauseMs: number = PAUSE_MS.min;
  /** By form: since when queries go unanswered, in monotonic milliseconds; Infinity for none. */
  readonly #silentSinceMs = [Infinity, Infinity, Infinity];
  /** The form that was sent last while none was answered. */
  #turn: number = FORM.PLAIN;
  /** The server has answered a query with OPT without complaint. */
  #knowsEdns = false;

  /** Whether the server has answered a query with OPT without complaint. */
  get knowsEdns(): boolean {
    return this.#knowsEdns;
  }

  /**
   * Form of a query that is sent now.
   *
   * @param patienceMs - time within which nearly all replies come
   * @param again - it asks what the server has left unanswered before
   */
  next(nowMs: number, patienceMs: number, again: boolean): number {
    // A name that nobody answers must not cost other names their DNSSEC records.
    const silentMs = nowMs - this.#silentSinceMs[this.#form]!;
    if (this.#knowsEdns && !again && silentMs < GIVE_UP_MS) return this.#form;
    const form = this.#unanswered(nowMs, patienceMs, again);
    if (form >= 0) return form;
    // It answers nothing at all, so each form has its turn to be the first that it answers.
    this.#turn = this.#turn < FORM.PLAIN ? Math.max(this.#turn + 1, this.#form) : this.#form;
    return this.#turn;
  }

  /** The best form that has not gone unanswered for too long; -1 where all have. */
  #unanswered(nowMs: number, patienceMs: number, again: boolean): number {
    for (let form = this.#form; form <= FORM.PLAIN; form++) {
      const twice = form === FORM.EDNS && this.#knowsEdns && !again;
      const patience = patienceMs * (twice ? EDNS_PATIENCE : 1);
      // Also where no query has gone unanswered: then this is minus infinity.
      if (nowMs - this.#silentSinceMs[form]! < patience) return form;
    }
    return -1;
  }

  /** A query went out in this form. */
  sent(form: number, nowMs: number): void {
    if (this.#silentSinceMs[form] === Infinity) this.#silentSinceMs[form] = nowMs;
  }

  /** Something came back to a query in this form, whatever it was worth: the server is not silent. */
  heard(form: number): void {
    this.#silentSinceMs[form] = Infinity;
  }

  /**
   * A query in this form got a proper answer.
   *
   * @param evidence - what is known of the same question in a better form
   */
  answered(
    form: number,
    nowMs: number,
    patienceMs: number,
    evidence: Evidence,
  ): void {
    const better = this.#silentSinceMs[form - 1] ?? Infinity;
    const knewEdns = this.#knowsEdns;
    this.#silentSinceMs[form] = Infinity;
    if (form < FORM.PLAIN) this.#knowsEdns = true;
    if (form <= this.#form) return;
    if (evidence !== "refused" && nowMs - better < patienceMs) return;
    this.#form = form;
    if (form === FORM.PLAIN) this.#knowsEdns = false;
    this.#pauseMs = PAUSE_MS.min;
    // Without evidence it may only be back from an outage.
    this.#retryMs = nowMs + (knewEdns && evidence === "none" ? 0 : this.#pauseMs);
  }

  /** The better form that is to be tried now, or -1; then `tried` is to be told what came of it. */
  toTry(nowMs: number): number {
    if (nowMs < this.#retryMs) return -1;
    this.#retryMs = Infinity;
    return this.#form - 1;
  }

  /** A better form was tried. */
  tried(form: number, answered: boolean, nowMs: number): void {
    if (answered) {
      this.#form = Math.min(form, this.#form);
      this.#knowsEdns = true;
      this.#pauseMs = PAUSE_MS.min;
      this.#silentSinceMs.fill(Infinity);
      this.#retryMs = this.#form === FORM.OPTIONS ? Infinity : nowMs;
    } else {
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.max);
      this.#retryMs = nowMs + this.#pauseMs;
    }
  }
}
