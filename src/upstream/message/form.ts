/** How much of EDNS a query carries, from the most to the least. */
export const FORM = {
  /** OPT with options: cookie, client subnet, padding. */
  OPTIONS: 0,
  /** OPT without options. */
  EDNS: 1,
  /** No OPT. */
  PLAIN: 2,
} as const;
