import assert from "node:assert/strict";
import { showMessage } from "../../../src/control/explain/message.ts";
import { MAX_RECORDS_TEXT } from "../../../src/dns/record_text/data_text.ts";

/** The longest name, in controls. */
const NAME = [...[63, 63, 63, 61].flatMap((n) => [n, ...Array(n).fill(7)]), 0];

/** A message with these answers, and an OPT record with an extended error. */
function message(answers: readonly number[][]): ArrayBuffer {
  const count = answers.length;
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 22];
  return Uint8Array.from([
    ...[0, 0, 0x81, 0x80, 0, 1, count >> 8, count & 255, 0, 0, 0, 1],
    ...[...NAME, 0, 2, 0, 1],
    ...answers.flat(),
    ...opt,
  ]).buffer;
}

Deno.test("a message that unpacks to megabytes of text is shown in part, its errors always", () => {
  const record = [0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 0, 0, 2, 0xc0, 12];
  const shown = showMessage(message(Array.from({ length: 4000 }, () => record)));
  const size = shown.answer.reduce((sum, { length }) => sum + length, 0);
  assert.ok(size >= MAX_RECORDS_TEXT && size < MAX_RECORDS_TEXT + 2100, `${size} characters`);
  assert.equal(shown.answer.length + shown.omittedRecords!, 4000);
  assert.deepEqual(shown.errors, [{ code: 22, text: "" }]);
});

Deno.test("malformed data is shown as of an unknown type", () => {
  const shown = showMessage(message([[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 3, 1, 2, 3]]));
  assert.match(shown.answer[0]!, / 256 IN A \\# 3 010203$/);
  assert.equal(shown.omittedRecords, undefined);
});
