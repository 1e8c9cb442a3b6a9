import assert from "node:assert/strict";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { COMPLETION } from "../../../src/cli/shell/command.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import { skipUnless } from "../../support/run/require.ts";

const HERE = new URL("./", import.meta.url).pathname;
const HELPERS = { bash: ["bash"], zsh: ["zsh", "-f"], fish: ["fish", "--no-config"] } as const;
type Shell = keyof typeof HELPERS;

function completion(...args: string[]) {
  return callCommand(COMPLETION, args);
}

/** What the shell itself offers for each line. */
async function offered(shell: Shell, lines: readonly string[]): Promise<Map<string, string[]>> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  for (const name of ["Corefile", "core.conf", "other"]) {
    Deno.writeTextFileSync(`${folder}/${name}`, "");
  }
  Deno.writeTextFileSync(`${folder}/.script`, (await completion(shell)).out);
  const [binary, ...flags] = HELPERS[shell];
  try {
    const { code, stdout, stderr } = await new Deno.Command(binary, {
      args: [...flags, `${HERE}complete.${shell}`, `${folder}/.script`, ...lines],
      cwd: folder,
      env: { HOME: folder, TERM: "dumb" },
      signal: AbortSignal.timeout(30_000),
    }).output();
    const decoder = new TextDecoder();
    assert.equal(decoder.decode(stderr), "");
    assert.equal(code, 0);
    const parts = decoder.decode(stdout).split(/^== /m).slice(1);
    return new Map(parts.map((part) => {
      const [line, ...words] = part.split("\n");
      return [line!, words.filter((word) => word !== "").sort()];
    }));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const NAMES = COMMANDS.map(({ name }) => name).filter((name) => name !== "").sort();
const CASES: { line: string; words: string[] }[] = [
  { line: "nodens ", words: NAMES },
  { line: "nodens che", words: ["check"] },
  { line: "nodens -log", words: ["-log-format", "-log-time"] },
  { line: "nodens --log", words: ["--log-format", "--log-time"] },
  { line: "nodens -p", words: ["-p", "-pidfile", "-plugins", "-prometheus-listen-address"] },
  { line: "nodens -log-format ", words: ["json", "text"] },
  { line: "nodens --log-format j", words: ["json"] },
  { line: "nodens -quiet -io ", words: ["auto", "linux", "portable"] },
  { line: "nodens -conf C", words: ["Corefile"] },
  { line: "nodens -p ", words: [] },
  { line: "nodens check C", words: ["Corefile"] },
  { line: "nodens check -p 1053 --j", words: ["--json"] },
  { line: "nodens redirect ", words: ["install", "remove", "status"] },
  { line: "nodens redirect -to 192.0.2.1 in", words: ["install"] },
  { line: "nodens redirect install -exc", words: ["-except", "-except-uid"] },
  { line: "nodens manifest -mode ", words: ["iptables", "ipvs", "redirect"] },
  { line: "nodens query example.org M", words: ["MX"] },
  { line: "nodens query -p 1053 example.org AA", words: ["AAAA"] },
  { line: "nodens query example.org +s", words: ["+short"] },
  { line: "nodens completion ", words: ["bash", "fish", "zsh"] },
  { line: "nodens help sta", words: ["status"] },
];
/** Values after an equals sign; the shells differ in what they call the word. */
const EQUALS = [
  { line: "nodens -log-format=j", ends: ["json"] },
  { line: "nodens --io=l", ends: ["linux"] },
  { line: "nodens -conf=C", ends: ["Corefile"] },
];

for (const shell of Object.keys(HELPERS) as Shell[]) {
  Deno.test({
    name: `completion: what ${shell} offers`,
    ...skipUnless(shell),
    async fn() {
      const lines = [...CASES, ...EQUALS].map(({ line }) => line);
      const found = await offered(shell, lines);
      assert.deepEqual([...found.keys()], lines);
      for (const { line, words } of CASES) assert.deepEqual(found.get(line), words, line);
      for (const { line, ends } of EQUALS) {
        const ended = found.get(line)!.map((word) => word.slice(word.lastIndexOf("=") + 1));
        assert.deepEqual(ended, ends, line);
      }
    },
  });
  Deno.test({
    name: `completion: ${shell} has every flag of every command`,
    ...skipUnless(shell),
    async fn() {
      const lines = COMMANDS.flatMap(({ name, oneDash }) => {
        const line = name === "" ? "nodens " : `nodens ${name} `;
        return oneDash === true ? [`${line}-`] : [`${line}-`, `${line}--`];
      });
      const found = await offered(shell, lines);
      for (const { name, flags, oneDash } of COMMANDS) {
        const line = name === "" ? "nodens " : `nodens ${name} `;
        for (const flag of flags) {
          const once = `-${flag.name}`;
          assert.ok(found.get(`${line}-`)!.includes(once), `${line}${once}`);
          if (oneDash === true || flag.name.length === 1) continue;
          assert.ok(found.get(`${line}--`)!.includes(`-${once}`), `${line}-${once}`);
        }
      }
    },
  });
}

Deno.test("completion: bad usage gives 2", async () => {
  const rows: [string[], string][] = [
    [[], "it needs one of bash, zsh, fish"],
    [["bsh"], '"bsh" is unknown (did you mean "bash"?)'],
    [["tcsh"], '"tcsh" is unknown (bash, zsh, fish)'],
    [["bash", "zsh"], '"zsh" follows, but nothing is expected'],
  ];
  for (const [args, message] of rows) {
    const usage = "Usage: nodens completion bash|zsh|fish\n";
    const err = `nodens completion: ${message}\n${usage}`;
    assert.deepEqual(await completion(...args), { code: 2, out: "", err });
  }
});
