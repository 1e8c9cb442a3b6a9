const WIDTH = 100;

/** JSON with arrays and objects on one line if they fit. */
export function compactJson(value: unknown, indent = ""): string {
  const line = JSON.stringify(value).replace(
    /("(?:[^"\\]|\\.)*")|([,:])/g,
    (_, text, mark) => text ?? `${mark} `,
  );
  if (typeof value !== "object" || value === null || indent.length + line.length <= WIDTH) {
    return line;
  }
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => `${inner}${compactJson(item, inner)}`)
    : Object.entries(value).map(([key, item]) =>
      `${inner}${JSON.stringify(key)}: ${compactJson(item, inner)}`
    );
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
