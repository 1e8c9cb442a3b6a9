const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

export function folderWith(files: Record<string, string>): string {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
  }
  return folder;
}

export async function serving(
  args: string[],
  use: (out: () => string, child: Deno.ChildProcess) => Promise<void>,
  options: { cwd?: string; files?: number } = {},
): Promise<number> {
  const { cwd, files } = options;
  const command = [Deno.execPath(), "run", "-A", MAIN, ...args];
  // The shell lowers the limit and then becomes nodens, with the same process id.
  if (files !== undefined) command.unshift("sh", "-c", `ulimit -n ${files} && exec "$0" "$@"`);
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdout: "piped",
    stderr: "null",
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
  let text = "";
  const started = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const bytes of child.stdout) {
      text += new TextDecoder().decode(bytes);
      if (/^nodens \d/m.test(text)) started.resolve();
    }
    started.reject(new Error(`nodens ended: ${text}`));
  })();
  started.promise.catch(() => {});
  await started.promise;
  try {
    await use(() => text, child);
  } finally {
    child.kill("SIGTERM");
    await reading;
  }
  return (await child.status).code;
}
