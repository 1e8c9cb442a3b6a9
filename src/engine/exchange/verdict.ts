/** The handler has no answer: ask the next one in the chain. */
export const NEXT = 0;
/** `exchange.response` is set. */
export const ANSWERED = 1;
/** The handler parked the exchange and will call `resume` or `proceed` on the engine. */
export const WAIT = 2;
/** The query gets no answer at all. */
export const DROP = 3;

/** What a handler made of a query. */
export type Verdict = typeof NEXT | typeof ANSWERED | typeof WAIT | typeof DROP;
