/**
 * The syntax tree of a template in the language of Go's text/template. It is plain data, so that it is
 * parsed once in the control plane and evaluated in the data plane.
 */

/** A piece of a template. */
export type Node =
  | { kind: "text"; text: string }
  | { kind: "action"; pipe: Pipe }
  | { kind: "if" | "with"; pipe: Pipe; body: Node[]; otherwise: Node[] }
  | {
    kind: "range";
    pipe: Pipe;
    /** Names of the variables for index and element, with their `$`. */
    index: string | null;
    element: string | null;
    body: Node[];
    otherwise: Node[];
  }
  | { kind: "break" | "continue" };

/** Commands of which each gets the result of the one before as its last argument. */
export interface Pipe {
  /** Variable that gets the result, with its `$`; then nothing is printed. */
  variable: string | null;
  /** The variable is a new one (`:=`). */
  declares: boolean;
  commands: Operand[][];
}

/** A value, and the fields that are taken of it one after the other. */
export interface Operand {
  of:
    | { kind: "text"; value: string }
    /** Decimal digits, which JSON keeps whole whatever the size. */
    | { kind: "integer"; value: string }
    | { kind: "number"; value: number }
    | { kind: "boolean"; value: boolean }
    | { kind: "nil" }
    | { kind: "dot" }
    | { kind: "variable"; name: string }
    | { kind: "function"; name: string }
    | { kind: "pipe"; pipe: Pipe };
  fields: string[];
}

/** A template that cannot be parsed; the message says what and, if it can, what would do. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}
