/** Cancels a timer; does nothing once the timer has fired. */
export type Cancel = () => void;

/**
 * Time and timers for the control plane. Programs use `systemClock`; tests pass a clock that they
 * move by hand, so that an hour passes at once.
 */
export interface Clock {
  /** Monotonic time in milliseconds. */
  now(): number;
  /** Milliseconds since 1970 (Unix time). */
  wall(): number;
  /** Calls `fn` once, `ms` milliseconds from now. */
  after(ms: number, fn: () => void): Cancel;
  /** Calls `fn` every `ms` milliseconds. */
  every(ms: number, fn: () => void): Cancel;
  /** Resolves `ms` milliseconds from now. */
  sleep(ms: number): Promise<void>;
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: Date.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  every(ms, fn) {
    const timer = setInterval(fn, ms);
    return () => clearInterval(timer);
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
