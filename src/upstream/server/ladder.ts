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
   * @param stepping - it may go down: one that knows EDNS gets a lower form only for a question that
   *   it has left unanswered
   */
  next(nowMs: number, patienceMs: number, stepping: boolean): number {
    // A name that nobody answers must not cost others their DNSSEC records.
    if (this.#knowsEdns && !stepping) return this.#form;
    for (let form = this.#form; form <= FORM.PLAIN; form++) {
      const patience = patienceMs * (form === FORM.EDNS && this.#knowsEdns ? EDNS_PATIENCE : 1);
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
    const better = this.#silentSinceMs[form - 1] ?? Infinity;
    this.#silentSinceMs[form] = Infinity;
    if (form < FORM.PLAIN) this.#knowsEdns = true;
    if (form <= this.#form || !(refused || nowMs - better >= patienceMs)) return;
    this.#form = form;
    if (form === FORM.PLAIN) this.#knowsEdns = false;
    this.#pauseMs = PAUSE_MS.min;
    this.#retryMs = nowMs + this.#pauseMs;
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
    } else {
      this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.max);
    }
    this.#retryMs = this.#form === FORM.OPTIONS ? Infinity : nowMs + this.#pauseMs;
  }
}
