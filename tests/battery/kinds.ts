import { startCluster } from "../support/servers/cluster_server.ts";
import { type Forwarder, FORWARDERS, startForwarder } from "../support/servers/forwarders.ts";
import { serveKind } from "../support/simulation/kind_server.ts";
import type { Behaviour } from "../support/simulation/simulation.ts";
import * as kinds from "../support/simulation/upstream_kinds.ts";

export interface Started {
  /** TO of `forward`. */
  readonly to: readonly string[];
  stop(): Promise<unknown>;
}

/** A kind of upstream: a row of the table. */
export interface Kind {
  readonly title: string;
  readonly options: string;
  /** One real server for the whole row, since starting takes time. */
  readonly shared: boolean;
  start(): Promise<Started>;
}

/** Label of names that take 100 ms. */
export const SLOW_LABEL = "d100";

const answering = () => kinds.answering((name) => name.startsWith(SLOW_LABEL) ? 100 : 1);
const serial = () => kinds.serial(answering());
const plain = () => kinds.withoutEdns();
const { failing, refusing, silent, toEdns, truncating } = kinds;

function scripted(
  title: string,
  make: () => Behaviour,
  options: { tcp?: boolean; udp?: boolean; options?: string; beside?: () => Behaviour } = {},
): Kind {
  return {
    title,
    options: options.options ?? "",
    shared: false,
    async start() {
      const servers = [await serveKind(make(), options)];
      if (options.beside !== undefined) servers.push(await serveKind(options.beside()));
      return {
        to: servers.map(({ endpoint }) => endpoint),
        stop: () => Promise.all(servers.map((server) => server.stop())),
      };
    },
  };
}

const cluster: Kind = {
  title: "made with CoreDNS's library",
  options: "",
  shared: true,
  async start() {
    const server = await startCluster();
    return { to: [`127.0.0.1:${server.port}`], stop: server.stop };
  },
};

function forwarder(name: Forwarder): Kind {
  return {
    title: name === "named" ? "BIND's named" : name,
    options: "",
    shared: true,
    async start() {
      const behind = await startCluster();
      const server = await startForwarder(name, behind.port);
      return {
        to: [`127.0.0.1:${server.port}`],
        async stop() {
          await server.stop();
          await behind.stop();
        },
      };
    },
  };
}

/** Response code of each form of complaint. */
const FORMS = {
  "whole": "whole",
  "header alone": "bare",
  "header and OPT": "bare-with-opt",
  "OPT sent back": "opt-echoed",
} as const;

/** In the order of the table. */
export const KINDS: readonly Kind[] = [
  cluster,
  ...FORWARDERS.map(forwarder),

  scripted("answers in any order", answering),
  scripted("answers in order", serial),
  scripted("answers the first message of a connection", () => kinds.firstOnly(answering())),
  scripted("closes behind each answer", () => kinds.closing(serial())),
  scripted("serves twenty connections", () => kinds.atMost(20, serial())),
  scripted("serves four connections", () => kinds.atMost(4, serial())),
  scripted("closes at the second message", () => kinds.serial(kinds.closingAt(2, answering()))),
  scripted("slow to accept", () => kinds.slowAccept(300, serial())),
  scripted("resets connections", () => kinds.overTcp(refusing, answering())),
  scripted("accepts and says nothing", () => kinds.overTcp(silent, answering())),
  scripted("no TCP", answering, { tcp: false }),
  scripted("no UDP", serial, { udp: false }),

  scripted("leaves OPT out", plain),
  scripted("drops OPT", () => toEdns(silent, plain())),
  scripted("drops options", () => toEdns(silent, answering(), { options: true })),
  scripted("drops DO", () => kinds.toDnssec(silent, answering())),
  ...Object.entries(FORMS).map(([look, form]) =>
    scripted(`FORMERR to OPT, ${look}`, () => toEdns(failing(1, form), plain()))
  ),
  ...Object.entries(FORMS).map(([look, form]) =>
    scripted(
      `FORMERR to options, ${look}`,
      () => toEdns(failing(1, form), answering(), { options: true }),
    )
  ),
  scripted("SERVFAIL to OPT", () => toEdns(failing(2), plain())),
  scripted("NOTIMP to OPT", () => toEdns(failing(4), plain())),
  scripted("REFUSED to OPT", () => toEdns(failing(5), plain())),
  scripted("BADVERS to OPT", () => toEdns(failing(16, "with-opt"), plain())),
  scripted("drops OPT after a second", changing),

  scripted("TC, whole over TCP", () => truncating(serial())),
  scripted("TC, no TCP", () => truncating(silent), { tcp: false }),
  scripted("TC, TCP resets", () => truncating(refusing)),
  scripted("TC, TCP says nothing", () => truncating(silent)),
  scripted("TC over TCP too", truncatingBoth),
  scripted("TC, header alone, whole over TCP", () => truncating(serial(), { bare: true })),
  scripted("TC, header alone, no TCP", () => truncating(silent, { bare: true }), { tcp: false }),

  scripted("REFUSED", () => failing(5, "with-opt")),
  scripted("NOTIMP", () => failing(4, "with-opt")),
  scripted("upward referral", () => kinds.lame("referral")),
  scripted("empty without RA", () => kinds.lame("empty")),
  scripted("SERVFAIL", () => failing(2, "with-opt")),
  scripted("REFUSED, beside one that answers", () => failing(5, "with-opt"), {
    beside: answering,
    options: "policy sequential",
  }),
  scripted("upward referral, beside one that answers", () => kinds.lame("referral"), {
    beside: answering,
    options: "policy sequential",
  }),
  scripted("silent, beside one that answers", () => silent, {
    beside: answering,
    options: "policy sequential",
  }),
  scripted("folds case, with `x20`", () => kinds.folding(answering()), { options: "x20" }),
  scripted("silent", () => silent),
  scripted("nothing listens", () => silent, { udp: false, tcp: false }),
];

/** Supports EDNS until a second after its first query. */
function changing(): Behaviour {
  let untilMs = -1;
  const before = answering();
  const after = toEdns(silent, plain());
  return (query, transport, arrival) => {
    if (untilMs < 0) untilMs = arrival!.nowMs + 1000;
    return (arrival!.nowMs < untilMs ? before : after)(query, transport, arrival);
  };
}

function truncatingBoth(): Behaviour {
  const overUdp = truncating(silent);
  return (query, _transport, arrival) => overUdp(query, "udp", arrival);
}
