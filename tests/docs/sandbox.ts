import { runCommand } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { missing, rootReasons } from "../support/run/require.ts";

const ROOT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");
const LIMIT_MS = 120_000;
const TOOLS = ["unshare", "mount", "chroot", "bash", "ip"];

export interface Outcome {
  code: number;
  output: string;
}

export function sandboxReasons(...binaries: string[]): string[] {
  const reasons = [...rootReasons(), ...missing([...TOOLS, ...binaries])];
  if (reasons.length > 0) return reasons;
  const { success } = new Deno.Command("unshare", {
    args: [...NAMESPACES, "bash", "-ec", `${overlayScript([])} true`],
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? [] : ["no root of overlays can be made here"];
}

/**
 * Runs pieces of shell in one bash, as root of a temporary machine: a copy of this one's files, a
 * network with only a loopback interface, and its own processes. It starts in this checkout, with
 * its `nodens`.
 */
export async function runInSandbox(
  pieces: readonly string[],
  { setup }: { setup: string },
): Promise<Outcome[]> {
  const script = [
    setup,
    ...pieces.map((piece, i) =>
      `{\n${piece}\n} >/out/${i}.text 2>&1 </dev/null\necho $? >/out/${i}.code`
    ),
  ].join("\n");
  return await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/inside.sh`, script);
    const { stderr } = await runCommand(
      "unshare",
      [...NAMESPACES, "bash", "-ec", outside(folder)],
      {
        env: { HOME: "/root", TERM: "dumb", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
        signal: AbortSignal.timeout(LIMIT_MS),
      },
    );
    return pieces.map((piece, i) => {
      const [code, output] = [`${i}.code`, `${i}.text`].map((name) => read(`${folder}/${name}`));
      if (code) return { code: Number(code), output: output! };
      throw new Error(`The sandbox ended in piece ${i} (${piece}): ${output}${stderr}`);
    });
  });
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

const NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child"];

/** Makes /mnt a root whose changes stay in memory, with other file systems in it. */
function overlayScript(others: readonly string[]): string {
  const overlay = (lower: string, name: string, at: string) =>
    `mkdir -p ${at} /mnt/up/${name} /mnt/work/${name}
mount -t overlay overlay -o lowerdir=${lower},upperdir=/mnt/up/${name},workdir=/mnt/work/${name} ${at}`;
  return `
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
${overlay("/", "root", "/mnt/root")}
${others.map((path, i) => overlay(path, `other${i}`, `/mnt/root${path}`)).join("\n")}
`;
}

function outside(folder: string): string {
  const execPath = Deno.realPathSync(Deno.execPath());
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  // The root's overlay does not show other file systems.
  const device = Deno.statSync("/").dev;
  const others = [ROOT, denoDir, execPath.slice(0, execPath.lastIndexOf("/"))]
    .filter((path) => Deno.statSync(path).dev !== device);
  const wrapper = `#!/bin/sh\nDENO_DIR=${denoDir} exec ${execPath} run -A ${ROOT}/main.ts "$@"\n`;
  return `${overlayScript(others)}
cd /mnt/root
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs tmpfs run
mkdir -p out run/lock
mount --bind ${folder} out
printf '%s' ${quoted(wrapper)} >usr/local/bin/nodens
printf '#!/bin/sh\\nexec "$@"\\n' >usr/local/bin/sudo
printf '#!/bin/sh\\nexec ${execPath} "$@"\\n' >usr/local/bin/deno
chmod 755 usr/local/bin/nodens usr/local/bin/sudo usr/local/bin/deno
ip link set lo up
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DENO_DIR=${denoDir}
exec chroot . bash -c ${quoted(`cd ${ROOT} && exec bash /out/inside.sh`)}
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
