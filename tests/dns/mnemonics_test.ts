import assert from "node:assert/strict";
import {
  classText,
  opcodeText,
  RCODE_NAMES,
  rcodeNumber,
  rcodeText,
  typeNumber,
  typeText,
} from "../../src/dns/mnemonics.ts";

Deno.test("types are written as names or numbers", () => {
  const types = { A: 1, AAAA: 28, HTTPS: 65, ANY: 255, TYPE65280: 65280 };
  for (const [text, number] of Object.entries(types)) {
    assert.equal(typeText(number), text);
    assert.equal(typeNumber(text), number);
    assert.equal(typeNumber(text.toLowerCase()), number);
  }
  assert.equal(typeNumber("TYPE1"), 1);
  for (const text of ["", "B", "TYPE", "TYPE65536", "TYPE-1", "toString"]) {
    assert.equal(typeNumber(text), null);
  }
});

Deno.test("classes, response codes and opcodes are written as names", () => {
  assert.equal(classText(1), "IN");
  assert.equal(classText(32), "CLASS32");
  assert.equal(opcodeText(0), "QUERY");
  assert.equal(opcodeText(3), "OPCODE3");
  assert.equal(rcodeText(3), "NXDOMAIN");
  assert.equal(rcodeText(24), "RCODE24");
  assert.equal(rcodeNumber("nxdomain"), 3);
  assert.equal(rcodeNumber("NOTIMPL"), 4);
  assert.equal(rcodeNumber("RCODE3"), null);
  for (const name of RCODE_NAMES) assert.equal(rcodeText(rcodeNumber(name)!), name);
});
