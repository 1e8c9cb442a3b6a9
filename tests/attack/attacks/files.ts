import type { Another, Attack, Stage } from "../frame/attack.ts";

const ANSWER_MS = 3_000;
const BIND = "bind 10.0.1.1";

interface Case {
  readonly name: string;
  readonly corefile: string;
  readonly done: (one: Another) => boolean;
}

function run(...words: string[]): void {
  const { success } = new Deno.Command(words[0]!, { args: words.slice(1) }).outputSync();
  if (!success) throw new Error(`Cannot run "${words.join(" ")}"`);
}

export const hostileFiles: Attack = {
  name: "hostile-files",
  summary: "FIFOs in place of hosts, import and resolv.conf; caches on disk that others can write.",
  async beside({ folder, another }: Stage) {
    const fifo = `${folder}/fifo`;
    run("mkfifo", fifo);
    const open = `${folder}/open`;
    Deno.mkdirSync(open);
    Deno.chmodSync(open, 0o777);
    Deno.writeTextFileSync(`${open}/cache`, "not a cache");
    Deno.chmodSync(`${open}/cache`, 0o666);
    Deno.symlinkSync("/etc/passwd", `${folder}/link`);
    const ended = (one: Another) => (one.code() ?? 0) !== 0;
    const cases: Case[] = [
      { name: "hosts", corefile: `.:53 {\n${BIND}\nhosts ${fifo}\n}\n`, done: spoke },
      { name: "import", corefile: `.:53 {\n${BIND}\nimport ${fifo}\n}\n`, done: ended },
      { name: "resolv.conf", corefile: `.:53 {\n${BIND}\nforward . ${fifo}\n}\n`, done: spoke },
      {
        name: "persist",
        corefile: `.:53 {\n${BIND}\ncache 30 {\npersist ${open}/cache\n}\nforward . 10.0.0.53\n}\n`,
        done: (one) => ended(one) || /cache"?: .*(may write|belong)/.test(one.log()),
      },
    ];
    const bad: string[] = [];
    for (const { name, corefile, done } of cases) {
      const one = another(corefile);
      if (!await one.until(() => done(one), ANSWER_MS) && !done(one)) bad.push(name);
      await one.kill();
    }
    return { files: cases.length, "taken or hung": bad.join(" ") || "none" };
  },
  judge: ({ facts }) =>
    facts["taken or hung"] === "none" ? [] : [`taken, or waited for: ${facts["taken or hung"]}`],
};

/** An error at the start, or a log line about it. */
function spoke(one: Another): boolean {
  return (one.code() ?? 0) !== 0 || /fifo/.test(one.log());
}
