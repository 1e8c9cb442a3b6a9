import assert from "node:assert/strict";
import { FORM } from "../../src/upstream/message/inquiry.ts";
import { EdnsLadder } from "../../src/upstream/server/ladder.ts";

const PATIENCE_MS = 100;

/**
 * Events of one server's ladder, with times in milliseconds. "0 send options" requires the form for
 * a question that the server has left unanswered before, "0 first options" for another one. "5
 * answer options" and "5 refuse options" are replies, followed by the evidence of the same question
 * ("6 answer plain refused", "105 answer edns again"). "5000 try edns" requires the form to try;
 * "5001 tried edns" and "5001 failed edns" are results.
 */
interface Row {
  name: string;
  events: string;
  knowsEdns: boolean;
}

const TABLE: readonly Row[] = [
  {
    name: "a server that answers options continues to get them",
    knowsEdns: true,
    events: `
      0 send options, 5 answer options, 10 send options, 105 send options`,
  },
  {
    name: "an unanswered name does not cost other names their EDNS",
    knowsEdns: true,
    events: `
      0 first options, 5 answer options, 1000 first options, 1100 send edns, 1300 send plain,
      1350 first options, 1355 answer options, 1400 first options`,
  },
  {
    name: "a server with EDNS that is silent for a second gets other questions in a lower form",
    knowsEdns: true,
    events: `
      0 send options, 5 answer options, 1000 first options, 1500 first options, 2000 first edns,
      2100 first edns, 2200 first plain, 2205 answer plain, 2206 try edns, 2210 tried edns,
      2211 try options, 2215 tried options`,
  },
  {
    name: "while the server answers nothing, the forms rotate",
    knowsEdns: true,
    events: `
      0 send options, 100 send edns, 200 send plain, 1000 first options, 1001 first edns,
      1002 first plain, 1003 first options, 1004 first edns, 1006 answer edns, 1007 first edns`,
  },
  {
    name: "silence leads to the next lower form after each wait",
    knowsEdns: false,
    events: `
      0 send options, 50 send options, 100 send edns, 150 send edns, 200 send plain`,
  },
  {
    name: "a server that answers nothing at all proves nothing about the form",
    knowsEdns: false,
    events: `
      0 send options, 100 send edns, 200 send plain, 300 send options, 301 send edns`,
  },
  {
    name: "a server that drops options gets none after an answer without options",
    knowsEdns: true,
    events: `
      0 send options, 100 send edns, 105 answer edns, 110 send edns, 115 answer edns,
      4000 first edns`,
  },
  {
    name: "a server that drops OPT gets plain queries",
    knowsEdns: false,
    events: `
      0 send options, 100 send edns, 200 send plain, 205 answer plain, 210 send plain,
      4000 send plain`,
  },
  {
    name: "only the same question can downgrade a server that has supported EDNS",
    knowsEdns: false,
    events: `
      0 send options, 5 answer options, 1000 send options, 1100 send edns, 1250 first options,
      1300 send plain, 1305 answer plain again, 1310 send plain`,
  },
  {
    name: "a late answer to the better form keeps it",
    knowsEdns: true,
    events: `
      0 send options, 100 send edns, 120 answer options, 125 send options, 126 answer edns,
      130 send options`,
  },
  {
    name: "a lost packet among answers changes nothing",
    knowsEdns: true,
    events: `
      0 send options, 5 answer options, 10 send options, 20 send options, 25 answer options,
      150 send options`,
  },
  {
    name: "FORMERR to options: no options after the answer",
    knowsEdns: true,
    events: `
      0 send options, 5 refuse options, 6 answer edns refused, 10 send edns`,
  },
  {
    name: "FORMERR to OPT: plain queries after the answer",
    knowsEdns: false,
    events: `
      0 send options, 5 refuse options, 6 answer plain refused, 10 send plain`,
  },
  {
    name: "a refusal of a question that also fails without EDNS proves nothing",
    knowsEdns: false,
    events: `
      0 send options, 5 refuse options, 10 send options`,
  },
  {
    name: "a plain answer without earlier silence or refusal proves nothing",
    knowsEdns: false,
    events: `
      0 answer plain, 10 send options`,
  },
  {
    name: "the better form is tried after five seconds, with one query at a time",
    knowsEdns: true,
    events: `
      0 send options, 5 refuse options, 6 answer plain refused, 5005 try nothing, 5006 try edns,
      5007 try nothing, 5010 tried edns, 5011 send edns, 5012 try options, 5013 try nothing,
      5015 tried options, 5016 send options, 100000 try nothing`,
  },
  {
    name: "a trial that fails doubles the pause, up to ten minutes",
    knowsEdns: false,
    events: `
      0 send options, 5 refuse options, 6 answer plain refused, 5006 try edns, 7006 failed edns,
      17005 try nothing, 17006 try edns, 19006 failed edns, 39005 try nothing, 39006 try edns,
      41006 failed edns, 81006 try edns, 83006 failed edns, 163006 try edns, 165006 failed edns,
      325006 try edns, 327006 failed edns, 647006 try edns, 649006 failed edns,
      1249005 try nothing, 1249006 try edns`,
  },
  {
    name: "a firewall that drops OPT appears and disappears",
    knowsEdns: true,
    events: `
      0 send options, 5 answer options, 1000 send options, 1100 send edns, 1300 send plain,
      1305 answer plain again, 6304 try nothing, 6305 try edns, 6310 tried edns,
      6311 try options, 6315 tried options, 6316 send options`,
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

Deno.test("a server gets the form of query that it supports", async (t) => {
  for (const { name, events, knowsEdns } of TABLE) {
    await t.step(name, () => {
      const ladder = new EdnsLadder();
      for (const event of events.trim().split(/,\s+/)) {
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
