/** Files that are not regular. */
export const SPECIALS = ["a FIFO", "a device", "a socket", "a directory"] as const;

/** Creates a special file in a folder, or returns the path of an existing one. */
export function specialFile(
  what: typeof SPECIALS[number],
  folder: string,
): { path: string; what: string } & Disposable {
  const path = `${folder}/special`;
  let listener: Disposable | null = null;
  const made = { what, [Symbol.dispose]: () => listener?.[Symbol.dispose]() };
  if (what === "a device") return { path: "/dev/zero", ...made };
  if (what === "a directory") Deno.mkdirSync(path);
  else if (what === "a FIFO") makeFifo(path);
  else listener = Deno.listen({ transport: "unix", path });
  return { path, ...made };
}

/** Creates a FIFO; opening it blocks until a writer opens it. */
export function makeFifo(path: string): void {
  const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
  if (!success) throw new Error(`Cannot make a FIFO "${path}"`);
}
