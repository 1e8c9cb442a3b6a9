import type { Section } from "../../engine/response/records.ts";

/** A record in Go's template language. */
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
  /** Expressions in the language of expr-lang: values for the records, then conditions. */
  variables: { name: string; expression: string }[];
  conditions: string[];
  records: RecordTemplate[];
  rcode: number;
  /** Extended DNS Error (RFC 8914). */
  extendedError: { code: number; text: string } | null;
  fallthrough: string[] | null;
}

/** Options of a block's `template` directives. */
export interface TemplateOptions {
  templates: Template[];
}
