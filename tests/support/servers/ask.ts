/** A program that asks DNS questions. */
export type Client = "dig" | "kdig";

/** One resource record as the client printed it. */
export interface PrintedRecord {
  owner: string;
  ttlSeconds: number;
  type: string;
  data: string;
}

/** What a client printed. */
export interface Answer {
  status: string;
  /** The question section: name, class and type. */
  question: string;
  answer: PrintedRecord[];
  authority: PrintedRecord[];
  additional: PrintedRecord[];
  /** The whole output, for messages. */
  text: string;
}

/** One question. */
export interface AskOptions {
  /** IPv4 or IPv6 address of the server. */
  server: string;
  port: number;
  name: string;
  type: string;
  transport?: "udp" | "tcp";
  /** More arguments, `+dnssec` for instance. */
  args?: string[];
}

/** Asks with dig or kdig and reads what it prints; throws where it got no answer. */
export async function ask(client: Client, options: AskOptions): Promise<Answer> {
  // One try: a retry would show up in the other side's query log as a query of its own.
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

/** Reads the output of dig and kdig: the status and the three sections. */
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
