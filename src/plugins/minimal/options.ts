/** Options of one `minimal` directive: it has none. */
export type MinimalOptions = Record<string, never>;
