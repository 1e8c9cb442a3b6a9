/** Options of one `whoami` directive: it has none. */
export type WhoamiOptions = Record<string, never>;
