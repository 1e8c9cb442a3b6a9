import { CLASS, RCODE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import { ANSWERED, type CreateHandler, NEXT } from "../../engine/handler.ts";
import { isQname } from "../../engine/question/fold.ts";
import { explainChaos } from "./explain.ts";
import type { ChaosOptions } from "./setup.ts";

/** Answers TXT queries of class CH. */
export const createChaos: CreateHandler<ChaosOptions> = (options, { engine }) => {
  const { version, authors, hostname } = options;
  const text = (name: string, ...strings: string[]) => ({
    name: parseName(name),
    strings: strings.map((one) => new TextEncoder().encode(one)),
  });
  const texts = [
    text("version.bind", version),
    text("version.server", version),
    text("hostname.bind", hostname),
    text("id.server", hostname),
    text("authors.bind", ...authors),
  ];
  return {
    name: "chaos",
    passive: true,
    everyClass: true,
    explain(exchange) {
      return explainChaos(this.query!(exchange));
    },
    query(exchange) {
      const { qclass, qtype } = exchange;
      if (qclass !== CLASS.CH || qtype !== TYPE.TXT) return NEXT;
      const found = texts.find(({ name }) => isQname(exchange, name));
      if (found === undefined) return NEXT;
      const writer = engine.writer.begin(exchange, RCODE.NOERROR);
      const { strings } = found;
      const first = engine.random() % strings.length;
      for (let i = 0; i < strings.length; i++) {
        const octets = strings[(first + i) % strings.length]!;
        writer.record("answer", null, TYPE.TXT, CLASS.CH, 0)
          .uint8(octets.length).raw(octets, 0, octets.length);
      }
      exchange.response = writer.end();
      return ANSWERED;
    },
  };
};
