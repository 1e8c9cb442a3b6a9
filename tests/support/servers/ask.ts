/** A DNS query program. */
export type Client = "dig" | "kdig";

/** A resource record as printed by the client. */
export interface PrintedRecord {
  owner: string;
  ttlSeconds: number;
  type: string;
  data: string;
}

export interface Answer {
  status: string;
  question: string;
  answer: PrintedRecord[];
  authority: PrintedRecord[];
  additional: PrintedRecord[];
  text: string;
}

export interface AskOptions {
  server: string;
  port: number;
  name: string;
  type: string;
  transport?: "udp" | "tcp";
  args?: string[];
}

/** Queries with dig or kdig and parses the output; throws without an answer. */
export async function ask(client: Client, options: AskOptions): Promise<Answer> {
  const tries = client === "dig" ? ["+tries=1", "+time=5"] : ["+retry=0", "+time=5"];
  const args = [`@${options.server}`, "-p", String(options.port), ...tries];
  if (client === "dig") args.unshift("-r"); // no ~/.digrc
  if (options.transport === "tcp") args.push("+tcp");
  args.push(...options.args ?? [], options.name, options.type);
  const { success, stdout, stderr } = await new Deno.Command(client, { args }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success) throw new Error(`Cannot run "${client} ${args.join(" ")}":\n${text}`);
  return parseAnswer(text);
}

export function parseAnswer(text: string): Answer {
  const status = /status: (\w+)/.exec(text)?.[1];
  if (status === undefined) throw new Error(`Cannot read an answer: no status in it\n${text}`);
  const question = /;; QUESTION SECTION:\n;+ *(.+)/.exec(text)?.[1]?.replaceAll(/\s+/g, " ") ?? "";
  const answer: Answer = { status, question, answer: [], authority: [], additional: [], text };
  let section: PrintedRecord[] | null = null;
  for (const line of text.split("\n")) {
    const heading = /^;; (\w+) (?:PSEUDO)?SECTION:/.exec(line)?.[1]?.toLowerCase();
    if (heading === "answer" || heading === "authority" || heading === "additional") {
      section = answer[heading];
    } else if (line.startsWith(";") || line.trim() === "") {
      if (heading !== undefined) section = null;
    } else {
      section?.push(parseRecord(line));
    }
  }
  for (const records of [answer.answer, answer.authority, answer.additional]) {
    records.sort((a, b) => sortKey(a) < sortKey(b) ? -1 : 1);
  }
  return answer;
}

function parseRecord(line: string): PrintedRecord {
  const [owner = "", ttl = "", , type = "", ...data] = line.trim().split(/\s+/);
  return { owner, ttlSeconds: Number(ttl), type, data: data.join(" ") };
}

function sortKey({ owner, type, data }: PrintedRecord): string {
  return `${owner} ${type} ${data}`;
}
