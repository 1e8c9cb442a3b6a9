import assert from "node:assert/strict";
import { corefileView, pageView } from "../../../src/control/page/view.ts";
import { snapshot } from "./snapshot.ts";

const REFUSED = {
  at: "2026-01-02T00:00:00.000Z",
  ok: false,
  faults: ['Corefile:3: unknown directive "root:x:0:0"', "secret"],
};

Deno.test("view: root and the own user see everything", () => {
  const top = snapshot();
  assert.deepEqual(
    pageView(top, { reload: REFUSED, trusted: true }),
    { top, reload: REFUSED, withheld: false },
  );
});

Deno.test("view: other users see no names, clients, or quotes of files", () => {
  const view = pageView(snapshot(), { reload: REFUSED, trusted: false });
  assert.equal(view.top.lists, null);
  assert.equal(view.withheld, true);
  assert.deepEqual(view.reload!.faults, [
    "Corefile:3: the log says what is wrong",
    "the new Corefile: the log says what is wrong",
  ]);
  assert.doesNotMatch(JSON.stringify(view), /example\.org|shop|192\.0\.2\.1"|root:x|secret/);
  assert.equal(view.top.upstreams.length, 1);
});

Deno.test("view: hostile text is shown as what it is", () => {
  const top = snapshot();
  top.lists!.clients[0]!.name = "</script>\u202E";
  const view = pageView(top, { reload: null, trusted: true });
  assert.equal(view.top.lists!.clients[0]!.name, "</script>\\u{202E}");
});

Deno.test("view: a large configuration gives a bounded view", () => {
  const { caches: [cache], upstreams: [upstream] } = snapshot();
  const zones = Array.from({ length: 9000 }, () => "z.");
  const top = snapshot({
    caches: Array.from({ length: 9000 }, () => ({ ...cache!, zones })),
    upstreams: Array.from({ length: 9000 }, () => upstream!),
  });
  const faults = Array.from({ length: 9000 }, () => "x".repeat(9000));
  const reload = { ...REFUSED, faults };
  const view = pageView(top, { reload, trusted: true });
  assert.ok(JSON.stringify(view).length < 100_000);
});

Deno.test("view: a large Corefile is cut, and says so", () => {
  const { text } = corefileView({ file: "Corefile", text: "#".repeat(70_000) });
  assert.equal(text, `${"#".repeat(65_536)}\n… (4464 more characters)\n`);
});
