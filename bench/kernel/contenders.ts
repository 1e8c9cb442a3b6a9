import { ANSWER_PROGRAM, TTL_SECONDS } from "../native.ts";
import { floor } from "../servers/floor.ts";
import { nodens } from "../servers/nodens.ts";
import { unbound } from "../servers/unbound.ts";
import { PORT_OF_POD, SERVED } from "./network.ts";

/** A column of the table. */
export interface Contender {
  readonly name: "nodens" | "nodens, kernel hits" | "unbound" | "floor" | "reflection";
  readonly binary: string;
  /** Hits are answered by the kernel, which nodens counts. */
  readonly kernelHits?: true;
  /** Standard output that says that it is ready, if it answers no DNS query by itself. */
  readonly readyText?: string;
  /** Writes its configuration and returns its command line. */
  prepare(directory: string): string[];
}

/** Port of the metrics of `bench/servers/nodens.ts`. */
export const METRICS_PORT = 1053;
/** Where the floor serves as the others' upstream. */
const UPSTREAM = { address: "127.0.0.1", port: 5300 };
/** More than the names, so that nothing is evicted. */
const CAPACITY = 16_384;

/** Command line of the upstream. */
export const UPSTREAM_COMMAND = [
  ANSWER_PROGRAM,
  String(UPSTREAM.port),
  String(TTL_SECONDS),
  UPSTREAM.address,
];

/** All contenders; node-cache cannot be built here (`bench/servers/` has none). */
export function contenders(command: string | undefined): Contender[] {
  const plain = nodens(command);
  const launch = (directory: string) => ({
    port: 53,
    address: SERVED,
    upstreams: [UPSTREAM],
    directory,
    capacity: CAPACITY,
  });
  const reflecting = new URL("reflecting.ts", import.meta.url).pathname;
  return [
    { name: "nodens", binary: plain.binary, prepare: (to) => plain.prepare(launch(to)) },
    {
      name: "nodens, kernel hits",
      binary: plain.binary,
      kernelHits: true,
      prepare: (to) => [...plain.prepare(launch(to)), "-kernel-hits", "auto"],
    },
    { name: "unbound", binary: "unbound", prepare: (to) => unbound.prepare(launch(to)) },
    { name: "floor", binary: ANSWER_PROGRAM, prepare: (to) => floor.prepare(launch(to)) },
    {
      name: "reflection",
      binary: "clang",
      readyText: "attached",
      prepare: () => [Deno.execPath(), "run", "-A", "--no-lock", reflecting, PORT_OF_POD],
    },
  ];
}
