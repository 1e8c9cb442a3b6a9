/** How much of EDNS a query carries, from the most to the least. */
export const FORM = {
  /** OPT with options: cookie, client subnet, padding. */
  OPTIONS: 0,
  /** OPT without options. */
  EDNS: 1,
  /** No OPT. */
  PLAIN: 2,
} as const;

/** Pause before a better form is tried again, in milliseconds; twice as long after each failure. */
const PAUSE_MS = { min: 5000, max: 600_000 } as const;
/** EDNS is given up after so many times the usual time in silence, where the server has known it. */
const EDNS_PATIENCE = 2;

/**
 * Which form of a query one server answers (RFC 6891 section 7).
 *
 * Servers and firewalls refuse EDNS in many ways; the worst is silence. So a form that goes
 * unanswered is followed by the next lower one, and if that is answered, the server is asked so from
 * then on. A better form is tried again from time to time, because servers and paths change.
 */
export class EdnsLadder {
  /** The best form that the server answers, as far as is known. */
  #form: number = FORM.OPTIONS;
  #retryMs = Infinity;
  #pauseMs: number = PAUSE_MS.min;
  /** By form: since when queries go unanswered, in monotonic milliseconds; Infinity for none. */
  readonly #silentSinceMs = [Infinity, Infinity, Infinity];
  /** By form: the server has answered it. */
  readonly #proven = [false, false, false];

  /** The server has answered a query with OPT without complaint. */
  get knowsEdns(): boolean {
    return this.#proven[FORM.OPTIONS]! || this.#proven[FORM.EDNS]!;
  }

  /**
   * Form of a query that is sent now.
   *
   * @param patienceMs - time within which nearly all replies come
   */
  next(nowMs: number, patienceMs: number): number {
    if (this.#form > FORM.OPTIONS && nowMs >= this.#retryMs) {
      // One query tries; the others go on as before.
      this.#retryMs = nowMs + this.#pauseMs;
      this.#silentSinceMs.fill(Infinity);
      return this.#form - 1;
    }
    for (let form = this.#form; form <= FORM.PLAIN; form++) {
      const patience = patienceMs * (form === FORM.EDNS && this.knowsEdns ? EDNS_PATIENCE : 1);
      // Also where no query has gone unanswered: then this is minus infinity.
      if (nowMs - this.#silentSinceMs[form]! < patience) return form;
    }
    // It answers nothing at all, which says nothing about the form.
    return this.#form;
  }

  /** A query went out in this form. */
  sent(form: number, nowMs: number): void {
    if (this.#silentSinceMs[form] === Infinity) this.#silentSinceMs[form] = nowMs;
  }

  /** A query in this form was refused: that is no silence. */
  refused(form: number): void {
    this.#silentSinceMs[form] = Infinity;
  }

  /**
   * A query in this form got a proper answer.
   *
   * @param refused - the form before it, for the same question, was refused in so many words
   */
  answered(form: number, nowMs: number, patienceMs: number, refused = false): void {
    this.#proven[form] = true;
    const better = this.#silentSinceMs[form - 1] ?? Infinity;
    this.#silentSinceMs[form] = Infinity;
    if (form < this.#form) {
      this.#form = form;
      this.#pauseMs = PAUSE_MS.min;
      this.#retryMs = form === FORM.OPTIONS ? Infinity : nowMs + this.#pauseMs;
    } else if (form > this.#form && (refused || nowMs - better >= patienceMs)) {
      this.#form = form;
      for (let i = 0; i < form; i++) this.#proven[i] = false;
      this.#retryMs = nowMs + this.#pauseMs;
    } else if (form === this.#form && nowMs - better >= patienceMs) {
      // The better form was tried again, in vain.
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.max);
      this.#retryMs = nowMs + this.#pauseMs;
      this.#silentSinceMs[form - 1] = Infinity;
    }
  }
}
