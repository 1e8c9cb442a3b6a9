/** Options of one `any` directive: it has none. */
export type AnyOptions = Record<string, never>;
