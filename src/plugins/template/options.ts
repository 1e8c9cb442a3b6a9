/** Sections that a template fills, in the order of a message. */
export const SECTIONS = ["answer", "authority", "additional"] as const;

/** A section that a template fills. */
export type Section = typeof SECTIONS[number];

/** A record that a template adds: text in Go's template language. */
export interface RecordTemplate {
  section: Section;
  text: string;
}

/** One `template` directive. */
export interface Template {
  zones: string[];
  /** Class and type of the queries; 255 for any. */
  qclass: number;
  qtype: number;
  /** Regular expressions in Go's syntax; one must match the name. */
  patterns: string[];
  records: RecordTemplate[];
  rcode: number;
  /** Extended DNS Error (RFC 8914). */
  extendedError: { code: number; text: string } | null;
  /** Zones whose names fall through if no pattern matches. */
  fallthrough: string[] | null;
}

/** Options of the `template` directives of a block. */
export interface TemplateOptions {
  templates: Template[];
}
