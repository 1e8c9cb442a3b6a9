import assert from "node:assert/strict";
import { FORM } from "../../src/upstream/message/edns.ts";
import { EdnsLadder } from "../../src/upstream/server/ladder.ts";

/** Usual time of the server in these tables, in milliseconds. */
const PATIENCE_MS = 100;

/**
 * What happens to one server's ladder, in milliseconds: "0 send options" asks for a form, which must
 * be this one, and sends it; "0 first options" does so for a question that was not asked before, where
 * "send" stands for one that the server has left unanswered; "5 answer options" and "5 refuse options" tell of one; "5000 try edns"
 * asks for a form to try, "5001 tried edns" and "5001 failed edns" tell what came of it. Evidence of
 * the same question may stand behind an answer: "6 answer plain refused", "105 answer edns again".
 */
interface Row {
  name: string;
  events: string[];
  knowsEdns: boolean;
}

const TABLE: readonly Row[] = [
  {
    name: "a server that answers options gets them",
    events: ["0 send options", "5 answer options", "10 send options", "105 send options"],
    knowsEdns: true,
  },
  {
    name: "a name that it never answers costs no other name its EDNS, though nothing else is asked",
    events: [
      ...["0 first options", "5 answer options", "1000 first options", "1100 send edns"],
      ...["1300 send plain", "1350 first options", "1355 answer options", "1400 first options"],
    ],
    knowsEdns: true,
  },
  {
    name: "one that knows EDNS and is silent for a second gets other questions in a lower form too",
    events: [
      ...["0 send options", "5 answer options", "1000 first options", "1500 first options"],
      ...["2000 first edns", "2100 first edns", "2200 first plain", "2205 answer plain"],
      // It may be back from an outage, so the better forms are tried at once.
      ...["2206 try edns", "2210 tried edns", "2211 try options", "2215 tried options"],
    ],
    knowsEdns: true,
  },
  {
    name: "while nothing is answered, each form has its turn",
    events: [
      ...["0 send options", "100 send edns", "200 send plain", "1000 first options"],
      ...["1001 first edns", "1002 first plain", "1003 first options", "1004 first edns"],
      ...["1006 answer edns", "1007 first edns"],
    ],
    knowsEdns: true,
  },
  {
    name: "silence: one step down after each usual time",
    events: [
      "0 send options",
      "50 send options",
      "100 send edns",
      "150 send edns",
      "200 send plain",
    ],
    knowsEdns: false,
  },
  {
    name: "a server that answers nothing at all says nothing of the form",
    events: [
      "0 send options",
      "100 send edns",
      "200 send plain",
      "300 send options",
      "301 send edns",
    ],
    knowsEdns: false,
  },
  {
    name: "one that drops options is asked without, once that was answered",
    events: [
      "0 send options",
      "100 send edns",
      "105 answer edns",
      "110 send edns",
      "115 answer edns",
      "4000 first edns",
    ],
    knowsEdns: true,
  },
  {
    name: "one that drops OPT is asked plainly",
    events: [
      ...["0 send options", "100 send edns", "200 send plain", "205 answer plain"],
      ...["210 send plain", "4000 send plain"],
    ],
    knowsEdns: false,
  },
  {
    name: "one that has known EDNS loses it only by the same question",
    events: [
      ...["0 send options", "5 answer options", "1000 send options", "1100 send edns"],
      ...["1250 first options", "1300 send plain", "1305 answer plain again", "1310 send plain"],
    ],
    knowsEdns: false,
  },
  {
    name: "a late answer to the better form keeps it",
    events: [
      ...["0 send options", "100 send edns", "120 answer options", "125 send options"],
      ...["126 answer edns", "130 send options"],
    ],
    knowsEdns: true,
  },
  {
    name: "a lost packet among answers changes nothing",
    events: [
      ...["0 send options", "5 answer options", "10 send options", "20 send options"],
      ...["25 answer options", "150 send options"],
    ],
    knowsEdns: true,
  },
  {
    name: "FORMERR to options: without, from the answer on",
    events: ["0 send options", "5 refuse options", "6 answer edns refused", "10 send edns"],
    knowsEdns: true,
  },
  {
    name: "FORMERR to OPT: plainly, from the answer on",
    events: ["0 send options", "5 refuse options", "6 answer plain refused", "10 send plain"],
    knowsEdns: false,
  },
  {
    name: "a refusal whose question fails without EDNS as well says nothing",
    events: ["0 send options", "5 refuse options", "10 send options"],
    knowsEdns: false,
  },
  {
    name: "a plain answer alone, without silence or refusal before it, says nothing",
    events: ["0 answer plain", "10 send options"],
    knowsEdns: false,
  },
  {
    name: "the better form is tried after five seconds, by one query at a time",
    events: [
      ...["0 send options", "5 refuse options", "6 answer plain refused", "5005 try nothing"],
      ...["5006 try edns", "5007 try nothing", "5010 tried edns", "5011 send edns"],
      ...["5012 try options", "5013 try nothing", "5015 tried options", "5016 send options"],
      ...["100000 try nothing"],
    ],
    knowsEdns: true,
  },
  {
    name: "a trial that fails doubles the pause, up to ten minutes",
    events: [
      ...["0 send options", "5 refuse options", "6 answer plain refused"],
      ...["5006 try edns", "7006 failed edns", "17005 try nothing", "17006 try edns"],
      ...["19006 failed edns", "39005 try nothing", "39006 try edns", "41006 failed edns"],
      ...["81006 try edns", "83006 failed edns", "163006 try edns", "165006 failed edns"],
      ...["325006 try edns", "327006 failed edns", "647006 try edns", "649006 failed edns"],
      ...["1249005 try nothing", "1249006 try edns"],
    ],
    knowsEdns: false,
  },
  {
    name: "a server that takes to dropping OPT, and a firewall that goes again",
    events: [
      ...["0 send options", "5 answer options", "1000 send options", "1100 send edns"],
      ...["1300 send plain", "1305 answer plain again", "6304 try nothing", "6305 try edns"],
      ...["6310 tried edns", "6311 try options", "6315 tried options", "6316 send options"],
    ],
    knowsEdns: true,
  },
];

function formOf(word: string | undefined): number {
  const form = FORM[(word ?? "").toUpperCase() as keyof typeof FORM];
  if (form === undefined) throw new TypeError(`"${word}" is not a form`);
  return form;
}

function nameOf(form: number): string {
  return form < 0 ? "nothing" : ["options", "edns", "plain"][form]!;
}

Deno.test("which form of a query a server gets", async (t) => {
  for (const { name, events, knowsEdns } of TABLE) {
    await t.step(name, () => {
      const ladder = new EdnsLadder();
      for (const event of events) {
        const [time, verb, word, more] = event.split(" ");
        const nowMs = Number(time);
        switch (verb) {
          case "first":
          case "send":
            assert.equal(nameOf(ladder.next(nowMs, PATIENCE_MS, verb === "send")), word, event);
            ladder.sent(formOf(word), nowMs);
            break;
          case "answer":
            ladder.answered(
              formOf(word),
              nowMs,
              PATIENCE_MS,
              more === "refused" || more === "again" ? more : "none",
            );
            break;
          case "refuse":
            ladder.heard(formOf(word));
            break;
          case "try":
            assert.equal(nameOf(ladder.toTry(nowMs)), word, event);
            break;
          case "tried":
          case "failed":
            ladder.tried(formOf(word), verb === "tried", nowMs);
            break;
          default:
            throw new TypeError(`"${verb}" is not an event`);
        }
      }
      assert.equal(ladder.knowsEdns, knowsEdns);
    });
  }
});
