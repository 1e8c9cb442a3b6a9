import { visibleJson, visibleText } from "../../base/visible.ts";
import type { Output } from "../output.ts";
import { controlPaths } from "../control_path.ts";
import { CommandError } from "../failure.ts";
import { folderFault } from "../../sys/own_folder.ts";

/** Request to a serving nodens. */
export interface VerbRequest {
  verb: string;
  changes?: boolean;
  parameters?: Readonly<Record<string, string | undefined>>;
}

/** Answers: JSON objects, one unless the verb streams. Throws `CommandError`. */
export async function* ask(
  { verb, changes = false, parameters = {} }: VerbRequest,
  control: string,
): AsyncGenerator<unknown> {
  const path = control === "auto" ? await findSocket() : control;
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]
  );
  const client = clientFor(path);
  try {
    const url = `http://nodens/v1/${verb}?${new URLSearchParams(given)}`;
    const response = await fetch(url, { client, method: changes ? "POST" : "GET" });
    if (!response.ok) throw new CommandError(await refusalOf(response));
    for await (const answer of readLines(response.body!)) {
      if (isRefusal(answer)) throw new CommandError(answer.error);
      yield answer;
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`cannot ask at "${path}": ${reason(error as Error, path)}`);
  }
}

/** Kept for `top`: of many that are made and closed, Deno 2.9.6 lets each 26th wait for five seconds. */
let kept: { path: string; client: Deno.HttpClient } | null = null;

function clientFor(path: string): Deno.HttpClient {
  if (kept?.path !== path) {
    kept?.client.close();
    kept = { path, client: Deno.createHttpClient({ proxy: { transport: "unix", path } }) };
  }
  return kept.client;
}

/** Prints answers as text or JSON; returns the exit code. */
export async function printVerb<A>(
  request: VerbRequest,
  { control, json, output, text }: {
    control: string;
    json: boolean;
    output: Output;
    text: (answer: A) => string;
  },
): Promise<number> {
  for await (const answer of ask(request, control)) {
    output.out(json ? `${visibleJson(answer)}\n` : visibleText(text(answer as A)));
    if (output.isClosed?.() === true) break;
  }
  return 0;
}

async function findSocket(): Promise<string> {
  const paths = controlPaths();
  let others = "";
  for (const path of paths) {
    const fault = await faultOf(path);
    if (fault === null) return path;
    others ||= fault;
  }
  if (others !== "") throw new CommandError(others);
  if (paths.length === 0) {
    throw new CommandError("NODENS_CONTROL is off: name a socket by -control");
  }
  throw new CommandError(
    `no nodens has a control socket at ${
      paths.join(" or ")
    } (with a pid file it is beside that one: -control` +
      " PATH)",
  );
}

/**
 * Why a path is not asked: "" if missing, null if safe. Another user's socket would get the
 * command. Root trusts the path.
 */
async function faultOf(path: string): Promise<string | null> {
  const found = await Deno.lstat(path).catch(() => null);
  if (found?.isSocket !== true) return "";
  if (Deno.uid() === 0) return null;
  if (found.uid !== 0 && found.uid !== Deno.uid()) {
    return `${path} belongs to user ${found.uid}: only root and that user may ask`;
  }
  const fault = folderFault(path.replace(/\/[^/]*$/, "") || "/");
  return fault === null ? null : `${path} is not in a safe folder: ${fault}`;
}

async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
  if (rest !== "") throw new CommandError("the answer ends early: nodens has stopped or cut it");
}

/** Last line of a failing stream. */
function isRefusal(answer: unknown): answer is { error: string } {
  return typeof (answer as { error?: unknown }).error === "string";
}

async function refusalOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { error: string }).error;
  } catch {
    if (response.status === 404) return "this nodens has no such command: it may be an older one";
    return text.trim();
  }
}

function reason(error: Error, path: string): string {
  const text = `${error.message} ${error.cause ?? ""}`;
  if (/no such file|not found/i.test(text)) return "there is no such socket";
  if (/permission denied/i.test(text)) return "permission denied (only root and its owner may)";
  if (/refused/i.test(text)) return `nobody listens there (left by a crash? rm "${path}")`;
  if (/reset|closed|incomplete/i.test(text)) {
    return "the connection was closed (only root and the owner may ask)";
  }
  return text.trim();
}
