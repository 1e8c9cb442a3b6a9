/** Runs a NodeInterface: reads one command per line and answers each with a line of JSON. */
import { NodeInterface } from "../../../src/node/interface/interface.ts";
import { InterfaceWatch, RepairPace } from "../../../src/node/interface/watch.ts";
import { Rtnetlink } from "../../../src/sys/netlink/rtnetlink.ts";

/** A line of output. */
export interface Said {
  value?: unknown;
  error?: string;
  log?: string;
  notice?: readonly string[];
}

function say(said: Said): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(said)}\n`));
}

function indexOf(name: string): number {
  const kernel = new Rtnetlink();
  const index = kernel.getLink(name)?.index ?? 0;
  kernel.close();
  return index;
}

function run(): (command: string) => unknown {
  const options = JSON.parse(Deno.args[0]!);
  const log = (level: string, line: string) => say({ log: `${level}: ${line}` });
  const node = new NodeInterface({ ...options, log });
  let watch: { socket: InterfaceWatch; index: number } | null = null;
  const commands: Record<string, () => unknown> = {
    ensure: () => node.ensure(),
    remove: () => node.remove(),
    yieldSource: () => node.yieldSource(),
    reclaimSource: () => node.reclaimSource(),
    watch: () => node.watch(() => say({ notice: node.ensure().changes })),
    close: () => node.close(),
    // Without the timer, when every repair is allowed.
    look: () => {
      watch ??= { socket: new InterfaceWatch(new RepairPace()), index: indexOf(options.name) };
      return watch.socket.look({ name: options.name, index: watch.index }, 0);
    },
    bind: () =>
      options.addresses.map((hostname: string) => {
        const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
        socket.close();
        return (socket.addr as Deno.NetAddr).hostname;
      }),
    end: () => {
      watch?.socket.close();
      node.close();
    },
  };
  return (command) => commands[command]!();
}

if (import.meta.main) {
  let execute: ((command: string) => unknown) | null = null;
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        say({ value: (execute ??= run())(line) ?? null });
      } catch (error) {
        say({ error: (error as Error).message });
      }
    }
  }
  execute?.("end");
}
