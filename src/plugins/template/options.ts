import type { Node } from "./go_template/syntax.ts";

/** Sections that a template fills, in the order of a message. */
export const SECTIONS = ["answer", "authority", "additional"] as const;

/** A section that a template fills. */
export type Section = typeof SECTIONS[number];

/** A record that a template adds. */
export interface RecordTemplate {
  section: Section;
  /** A template in Go's language; with `nodes` null a record that is always the same. */
  text: string;
  nodes: Node[] | null;
}

/** One `template` directive. */
export interface Template {
  zones: string[];
  /** Class and type asked for; 255 for any. */
  qclass: number;
  qtype: number;
  /** Regular expressions in Go's syntax, of which one must match the name. */
  patterns: string[];
  records: RecordTemplate[];
  rcode: number;
  /** Extended DNS Error of the answers (RFC 8914), or null. */
  extendedError: { code: number; text: string } | null;
  /** Zones whose names go on where no pattern matches; null for none. */
  fallthrough: string[] | null;
}

/** Options of a block's `template` directives. */
export interface TemplateOptions {
  templates: Template[];
}
