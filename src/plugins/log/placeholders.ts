/** Placeholders of a format; `>` marks header values, as in CoreDNS. */
export const PLACEHOLDERS = [
  "type",
  "name",
  "class",
  "proto",
  "size",
  "remote",
  "port",
  "/nodens/client",
  "local",
  ">id",
  ">opcode",
  ">do",
  ">bufsize",
  "rcode",
  "rsize",
  "duration",
  ">rflags",
  "/log/class",
  "/log/type",
  "/nodens/answered_by",
  "/forward/upstream",
  "/nodens/ttl",
  "/nodens/age",
  "/nodens/answers",
  "/nodens/wait",
  "/nodens/asks",
  "/nodens/hedged",
  "/nodens/ede",
] as const;

/** A placeholder. */
export type LogField = typeof PLACEHOLDERS[number];

/** CoreDNS's response classes. */
export type ResponseClass = "success" | "denial" | "error";

/** Whether a name is a placeholder. */
export function isField(name: string): name is LogField {
  return PLACEHOLDERS.some((one) => one === name);
}
