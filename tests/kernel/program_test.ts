import assert from "node:assert/strict";
import { parseAddress } from "../../src/dns/address.ts";
import { SLOT } from "../../src/engine/kernel/layout.ts";
import { PROGRAMS } from "../../src/kernel/program/program.ts";
import { connectedSocket } from "../support/kernel/connected_socket.ts";
import { answerTo, sumsAgree, withoutSums } from "../support/kernel/model.ts";
import {
  ETHERNET,
  type Family,
  type Frame,
  frameOf,
  messageAt,
  queryMessage,
  type Question,
  SERVER,
  sumOfHeader,
  sumOfUdp,
  u16,
} from "../support/kernel/packets.ts";
import { mixed, mutated, shortest } from "../support/kernel/mutations.ts";
import {
  boottime,
  ENDPOINTS,
  kernelReasons,
  type Outcome,
  ProgramRig,
  VERDICT,
} from "../support/kernel/program_rig.ts";
import { type Entry, records } from "../support/kernel/slots.ts";
import { viewOf } from "../support/messages/wire.ts";
import { seeded } from "../support/run/random.ts";
import { skipFor } from "../support/run/require.ts";

const SKIP = skipFor(kernelReasons());
const NAME = "www.example.org";
const LABEL = "a".repeat(63);
const LONGEST = `${LABEL}.${LABEL}.${LABEL}.${"b".repeat(61)}`;
const SECOND = 1_000_000_000n;

function rigTest(name: string, fn: (rig: ProgramRig) => void | Promise<void>): void {
  Deno.test({
    name,
    ...SKIP,
    async fn() {
      const rig = await ProgramRig.load();
      try {
        await fn(rig);
      } finally {
        rig.close();
      }
    },
  });
}

/** Expects the model's answer, with right checksums. */
function assertAnswered(rig: ProgramRig, frame: Uint8Array, entries: readonly Entry[], ttl = 300) {
  const { verdict, packet, outcome } = rig.run(frame);
  assert.deepEqual([verdict, outcome], [VERDICT.redirect, "answered"]);
  const expected = answerTo(frame, { endpoints: ENDPOINTS, entries }, ttl);
  assert.ok(expected !== null, "the model answers");
  assert.deepEqual([...withoutSums(packet)], [...expected]);
  assert.ok(sumsAgree(frame, packet), "the checksums are right");
  return packet;
}

function assertPassed(rig: ProgramRig, frame: Uint8Array, outcome: Outcome | null): void {
  const result = rig.run(frame);
  assert.deepEqual([result.verdict, result.outcome], [VERDICT.next, outcome]);
  assert.deepEqual([...result.packet], [...frame], "the packet is untouched");
}

function query(question: Partial<Question> = {}, frame: Partial<Frame> = {}) {
  return frameOf({ message: queryMessage({ name: NAME, ...question }), ...frame });
}

const ANSWERED: { title: string; entry: Omit<Entry, "name">; question: Partial<Question> }[] = [
  { title: "plain", entry: records(1), question: {} },
  { title: "without RD", entry: records(1), question: { flags: 0 } },
  { title: "with EDNS", entry: records(2), question: { edns: {} } },
  { title: "with DO", entry: { ...records(2), key: 1 }, question: { edns: { dnssecOk: true } } },
  { title: "with CD", entry: { ...records(2), key: 2 }, question: { flags: 0x110 } },
  {
    title: "with DO, CD and an answer with AD",
    entry: { ...records(3), key: 3, flags: 0x80a0 },
    question: { flags: 0x110, edns: { dnssecOk: true } },
  },
  {
    title: "AD that was asked for",
    entry: { ...records(1), flags: 0x80a0 },
    question: { flags: 0x120 },
  },
  { title: "AD that was not", entry: { ...records(1), flags: 0x80a0 }, question: {} },
  { title: "mixed case", entry: records(1), question: { name: "wWw.eXAMPLE.oRG" } },
  { title: "the root", entry: records(1), question: { name: "" } },
  { title: "the longest name", entry: records(1), question: { name: LONGEST } },
  { title: "the longest name, EDNS", entry: records(3), question: { name: LONGEST, edns: {} } },
  { title: "an odd body", entry: records(1, 5), question: { edns: {} } },
  {
    title: "an odd body and name",
    entry: records(3, 7),
    question: { name: "ww.example.org", edns: {} },
  },
  { title: "another type", entry: { ...records(1, 16), qtype: 28 }, question: { qtype: 28 } },
  { title: "no records at all", entry: { body: [], ttls: [] }, question: {} },
  {
    title: "an answer smaller than the query",
    entry: { body: [], ttls: [], counts: [0, 0, 0], flags: 0x8083 },
    question: { edns: {} },
  },
  {
    title: "counts of all sections",
    entry: { ...records(4), counts: [1, 2, 1], flags: 0x8583 },
    question: { edns: { size: 4096 } },
  },
  {
    title: "another payload size",
    entry: { ...records(2), payload: 4097 },
    question: { edns: {} },
  },
  { title: "exactly 512 octets", entry: records(29, 4), question: { name: "abcdefghij.ex" } },
  { title: "40 records", entry: records(40), question: { edns: {} } },
  { title: "1,200 octets", entry: records(1, 1150), question: { edns: {} } },
  { title: "the second bucket", entry: { ...records(1), second: true }, question: {} },
];

for (const family of [4, 6] as Family[]) {
  const endpoint = family === 4 ? 0 : 1;
  for (const { title, entry, question } of ANSWERED) {
    rigTest(`the program answers over IPv${family}: ${title}`, (rig) => {
      const entries = [{ name: question.name ?? NAME, endpoint, ...entry }];
      entries.forEach((entry) => rig.publish(entry));
      const frame = query(question, { family });
      assertAnswered(rig, frame, entries);
      // Once more, with the sum that a sender leaves to its hardware, or with none.
      const check = messageAt(family) - 2;
      const plain = frame.slice();
      viewOf(plain).setUint16(check, viewOf(plain).getUint16(check) ^ 0x5555);
      assertAnswered(rig, plain, entries);
      if (family === 4) assertAnswered(rig, frame.fill(0, check, check + 2), entries);
    });
  }
}

rigTest("an answer's checksums are right", (rig) => {
  const entry = { name: NAME, endpoint: 1, ...records(5, 7) };
  rig.publish(entry);
  const packet = assertAnswered(rig, query({ edns: {} }, { family: 6 }), [entry]);
  assert.equal(sumOfUdp(packet), 0xffff);
  const entry4 = { name: NAME, ...records(5, 7) };
  rig.publish(entry4);
  const packet4 = assertAnswered(rig, query({ edns: {} }), [entry4]);
  assert.deepEqual([sumOfUdp(packet4), sumOfHeader(packet4)], [0xffff, 0xffff]);
});

rigTest("an answer goes back to the port it came from, and from port 1053 too", (rig) => {
  const entry = { name: NAME, endpoint: 2, ...records(1) };
  rig.publish(entry);
  assertAnswered(rig, query({}, { port: 1053, sourcePort: 1 }), [entry]);
  assertPassed(rig, query({}, { port: 53 }), "absent");
});

rigTest("MAC addresses are swapped", (rig) => {
  rig.publish({ name: NAME, ...records(1) });
  const macs = [0, 0, 0, 0, 0, 0, 2, 3, 4, 5, 6, 7];
  assert.deepEqual([...rig.run(query({}, { macs })).packet.subarray(0, 12)], [
    ...macs.slice(6),
    ...macs.slice(0, 6),
  ]);
});

rigTest("answers with and without EDNS are counted apart", (rig) => {
  const slot = rig.publish({ name: NAME, ...records(1) });
  for (const edns of [undefined, {}, {}, undefined, {}]) {
    rig.run(query(edns === undefined ? {} : { edns }));
  }
  assert.equal(slot.getUint32(SLOT.ANSWERS, true), 2);
  assert.equal(slot.getUint32(SLOT.ANSWERS_EDNS, true), 3);
  assert.equal(rig.outcomes()[0], 5);
});

rigTest("TTLs are the seconds left, rounded up", (rig) => {
  const expires = [1n, SECOND / 2n, SECOND, SECOND + 1n, 3_599_500_000_000n];
  for (const left of expires) {
    rig.clear();
    const slot = rig.publish({ name: NAME, ...records(1) });
    const now = boottime();
    const until = now + left + 50_000_000n;
    slot.setBigUint64(SLOT.EXPIRES, until, true);
    slot.setBigUint64(SLOT.REFRESH, until, true);
    const { verdict, packet } = rig.run(query());
    const after = boottime();
    if (verdict === VERDICT.next) continue;
    const ttl = viewOf(packet).getUint32(packet.length - 10);
    const seconds = (time: bigint) => Number((until - time + SECOND - 1n) / SECOND);
    assert.ok(ttl <= seconds(now) && ttl >= seconds(after), `${ttl} for ${left} ns`);
  }
});

const CHANGES: {
  title: string;
  outcome: Outcome;
  change: (rig: ProgramRig, slot: DataView) => void;
}[] = [
  {
    title: "an expired entry",
    outcome: "expired",
    change: (_, slot) => slot.setBigUint64(SLOT.EXPIRES, boottime(), true),
  },
  {
    title: "an entry due for a refresh",
    outcome: "due",
    change: (_, slot) => slot.setBigUint64(SLOT.REFRESH, boottime(), true),
  },
  {
    title: "an entry of an earlier generation",
    outcome: "absent",
    change: (rig) => rig.set("GENERATION", 8),
  },
  {
    title: "a data plane that has stopped",
    outcome: "stopped",
    change: (rig) => rig.set("ALIVE_UNTIL", boottime()),
  },
  {
    title: "an entry taken out of its bucket",
    outcome: "absent",
    change: (rig) => rig.memories.buckets.fill(0),
  },
  {
    title: "a slot in use for another question",
    outcome: "absent",
    change: (_, slot) => slot.setUint32(SLOT.HASH, 1, true),
  },
  {
    title: "a slot with another name of the same hash",
    outcome: "absent",
    change: (_, slot) => slot.setUint8(88 + 16 + 1, 0x78),
  },
  {
    title: "a slot whose body has no room",
    outcome: "absent",
    change: (_, slot) => slot.setUint16(SLOT.BODY_LENGTH, 2000, true),
  },
];

for (const { title, outcome, change } of CHANGES) {
  rigTest(`the program passes on: ${title}`, (rig) => {
    const entry = { name: NAME, ...records(1) };
    const slot = rig.publish(entry);
    assertAnswered(rig, query(), [entry]);
    change(rig, slot);
    assertPassed(rig, query(), outcome);
  });
}

const PASSED: { title: string; outcome: Outcome | null; frame: () => Uint8Array }[] = [
  { title: "another name", outcome: "absent", frame: () => query({ name: "w.example.org" }) },
  { title: "another type", outcome: "absent", frame: () => query({ qtype: 2 }) },
  { title: "DO", outcome: "absent", frame: () => query({ edns: { dnssecOk: true } }) },
  { title: "CD", outcome: "absent", frame: () => query({ flags: 0x110 }) },
  { title: "another class", outcome: "form", frame: () => query({ qclass: 3 }) },
  ...[0x8100, 0x0900, 0x0500, 0x0300, 0x0180, 0x0140, 0x0101].map((flags) => ({
    title: `flags ${flags.toString(16)}`,
    outcome: "form" as const,
    frame: () => query({ flags }),
  })),
  ...([[4, 2], [5, 0], [6, 1], [8, 1], [10, 2], [11, 2]] as const).map(([at, octet]) => ({
    title: `octet ${at} of the message is ${octet}`,
    outcome: "form" as const,
    frame: () => message(queryMessage({ name: NAME }).with(at, octet)),
  })),
  {
    title: "two questions",
    outcome: "form",
    frame: () => message([...queryMessage({ name: NAME }).with(5, 2), 0, 0, 1, 0, 1]),
  },
  {
    title: "octets behind the question",
    outcome: "form",
    frame: () => message([...queryMessage({ name: NAME }), 0]),
  },
  ...([[-11, 1], [-10, 1], [-9, 40], [-6, 1], [-5, 1], [-4, 0xc0], [-3, 1], [-2, 1], [
    -1,
    1,
  ]] as const)
    .map(([at, octet]) => ({
      title: `octet ${at} of OPT is ${octet}`,
      outcome: "form" as const,
      frame: () => message(queryMessage({ name: NAME, edns: {} }).with(at, octet)),
    })),
  {
    title: "an EDNS option",
    outcome: "form",
    frame: () =>
      message([...queryMessage({ name: NAME, edns: {} }).with(-1, 4), ...u16(3), ...u16(0)]),
  },
  { title: "another port", outcome: null, frame: () => query({}, { port: 54 }) },
  {
    title: "another address",
    outcome: null,
    frame: () => query({}, { destination: [10, 0, 0, 1] }),
  },
  { title: "source port 0", outcome: "form", frame: () => query({}, { sourcePort: 0 }) },
  {
    title: "another host's MAC address",
    outcome: "form",
    frame: () => query({}, { macs: [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] }),
  },
  ...([[0, 0x46], [6, 0x20], [6, 0x80], [7, 1], [2, 1], [3, 0]] as const).map(([at, octet]) => ({
    title: `octet ${at} of IPv4 is ${octet}`,
    outcome: "form" as const,
    frame: () => withOctet(query(), ETHERNET + at, octet),
  })),
  { title: "TCP", outcome: null, frame: () => withOctet(query(), ETHERNET + 9, 6) },
  {
    title: "a version of IPv6 that is none",
    outcome: "form",
    frame: () => withOctet(query({}, { family: 6 }), ETHERNET, 0x50),
  },
  ...[0, 43, 44, 60].map((header) => ({
    title: `extension header ${header}`,
    outcome: null,
    frame: () => withOctet(query({}, { family: 6 }), ETHERNET + 6, header),
  })),
  {
    title: "a length of IPv6 that disagrees",
    outcome: "form",
    frame: () => withOctet(query({}, { family: 6 }), ETHERNET + 5, 200),
  },
  {
    title: "no checksum over IPv6",
    outcome: "form",
    frame: () => withOctet(withOctet(query({}, { family: 6 }), 60, 0), 61, 0),
  },
  {
    title: "a length of UDP that disagrees",
    outcome: "form",
    frame: () => withOctet(query(), messageAt(4) - 3, 9),
  },
  { title: "a VLAN tag", outcome: null, frame: () => tagged(query()) },
  { title: "ARP", outcome: null, frame: () => withOctet(query(), 13, 6) },
];

rigTest("the program passes on what it does not understand, untouched", async (rig) => {
  rig.publish({ name: NAME, ...records(1) });
  rig.publish({ name: NAME, endpoint: 1, ...records(1) });
  assertAnswered(rig, query(), [{ name: NAME, ...records(1) }]);
  for (const { title, outcome, frame } of PASSED) {
    const bytes = frame();
    const result = rig.run(bytes);
    assert.deepEqual([result.verdict, result.outcome], [VERDICT.next, outcome], title);
    assert.deepEqual([...result.packet], [...bytes], title);
  }
  await Promise.resolve();
});

rigTest("a packet that cannot become a whole answer is dropped", (rig) => {
  const slot = rig.publish({ name: NAME, ...records(1) });
  slot.setUint16(SLOT.TTLS, 500, true);
  const { verdict, outcome } = rig.run(query());
  assert.deepEqual([verdict, outcome], [VERDICT.drop, "failed"]);
});

rigTest("an answer that is too large for its client passes", (rig) => {
  const entry = { name: NAME, ...records(40) };
  rig.publish(entry);
  // 12 + 21 + 40 * 16 + 11
  assertAnswered(rig, query({ edns: { size: 684 } }), [entry]);
  assertPassed(rig, query({ edns: { size: 683 } }), "size");
  assertPassed(rig, query({ edns: { size: 0 } }), "size");
  assertPassed(rig, query(), "size");
  const limited = { name: "limited", ...records(40), limit: 600 };
  rig.publish(limited);
  assertPassed(rig, query({ name: "limited", edns: { size: 4096 } }), "size");
  // Clients may always have 512 octets.
  const small = { name: "small", ...records(20), limit: 100 };
  rig.publish(small);
  assertAnswered(rig, query({ name: "small", edns: { size: 100 } }), [small]);
});

rigTest("a packet cut at any octet passes, untouched", (rig) => {
  rig.publish({ name: NAME, ...records(1) });
  rig.publish({ name: NAME, endpoint: 1, ...records(1) });
  for (const family of [4, 6] as Family[]) {
    const whole = query({ edns: {} }, { family });
    for (let length = shortest(family); length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      const result = rig.run(cut);
      assert.equal(result.verdict, VERDICT.next, `${length} octets`);
      assert.deepEqual([...result.packet], [...cut]);
    }
  }
});

rigTest("octets behind the packet, as short frames have them, are cut off", (rig) => {
  const entry = { name: "", ...records(1) };
  rig.publish(entry);
  for (const padding of [1, 15, 400]) {
    const short = query({ name: "" });
    const padded = new Uint8Array(short.length + padding).fill(0xaa);
    padded.set(short);
    assertAnswered(rig, padded, [entry]);
  }
});

rigTest("sixteen endpoints are told apart", (rig) => {
  const endpoints = Array.from(
    { length: 16 },
    (_, i) =>
      i % 2 === 0
        ? { address: [169, 254, 20, i], port: 53 + i }
        : { address: [...SERVER[6].slice(0, 15), i], port: 53 },
  );
  rig.configure(endpoints);
  const entries = endpoints.map((_, endpoint) => ({
    name: NAME,
    endpoint,
    ...records(endpoint + 1),
  }));
  entries.forEach((entry) => rig.publish(entry));
  endpoints.forEach(({ address, port }, i) => {
    const family = address.length === 4 ? 4 : 6;
    const { packet, verdict } = rig.run(
      query({ edns: {} }, { family, destination: address, port }),
    );
    assert.equal(verdict, VERDICT.redirect);
    assert.equal(viewOf(packet).getUint16(messageAt(family) + 6), i + 1);
  });
  rig.set("ENDPOINTS", 15);
  const { address, port } = endpoints[15]!;
  assertPassed(rig, query({}, { family: 6, destination: address, port }), null);
});

rigTest("loopback addresses are not answered to packets from other interfaces", (rig) => {
  for (const [family, text] of [[4, "127.0.0.1"], [4, "127.0.0.53"], [6, "::1"]] as const) {
    const address = [...parseAddress(text)!];
    rig.configure([{ address, port: 53 }]);
    rig.publish({ name: NAME, ...records(1) });
    assertPassed(rig, query({}, { family, destination: address }), null);
  }
});

for (
  const [family, text, to] of [
    [4, "127.0.0.1", "127.0.0.1"],
    [4, "127.0.0.1", "::ffff:127.0.0.1"],
    [6, "::1", "::1"],
  ] as const
) {
  Deno.test({
    name: `tc_local answers sockets that are connected to ${to}, and no others`,
    ...SKIP,
    async fn() {
      const address = [...parseAddress(text)!];
      const endpoints = [{ address, port: 53 }];
      const rig = await ProgramRig.load(PROGRAMS.tc_local);
      const connected = connectedSocket(to, 53);
      const other = Deno.listenDatagram({ transport: "udp", hostname: text, port: 0 });
      try {
        rig.configure(endpoints);
        const entries = [{ name: NAME, ...records(2) }];
        rig.publish(entries[0]!);
        const from = (socket: Deno.DatagramConn, question: Partial<Question> = { edns: {} }) => {
          const sourcePort = (socket.addr as Deno.NetAddr).port;
          return query(question, { family, source: address, destination: address, sourcePort });
        };
        const frame = from(connected);
        const { verdict, packet } = rig.run(frame);
        assert.equal(verdict, VERDICT.pass);
        const expected = answerTo(frame, { endpoints, entries }, 300);
        assert.deepEqual([...withoutSums(packet)], [...expected!]);
        assertPassed(rig, from(connected, { qtype: 2 }), "absent");
        assertPassed(rig, from(other), "form");
        other.close();
        assertPassed(rig, from(other), "form");
      } finally {
        connected.close();
        rig.close();
      }
    },
  });
}

rigTest("a mutated packet is answered as the model does, or passes untouched", (rig) => {
  const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  const random = seeded(seed);
  const below = (limit: number) => random() % limit;
  const names = [NAME, "", "x", LONGEST];
  const entries: Entry[] = names.flatMap((name) =>
    [0, 1].flatMap((endpoint) =>
      [0, 1, 2].map((key) => ({ name, endpoint, key, ...records(1 + below(12), below(20)) }))
    )
  );
  const slots = entries.map((entry) => rig.publish(entry));
  let answered = 0;
  const rounds = 10_000;
  for (let i = 0; i < rounds; i++) {
    // Fewer than a second's rounds.
    if (i % 1000 === 0) {
      const until = boottime() + 300n * SECOND;
      for (const slot of slots) {
        slot.setBigUint64(SLOT.EXPIRES, until, true);
        slot.setBigUint64(SLOT.REFRESH, until, true);
      }
    }
    const frame = mutated(
      random,
      query({
        name: mixed(random, names[below(names.length)]!),
        flags: [0x100, 0, 0x120, 0x110][below(4)]!,
        ...(below(2) === 0 ? {} : { edns: { size: below(5000), dnssecOk: below(3) === 0 } }),
      }, { family: below(2) === 0 ? 4 : 6 }),
    );
    const { verdict, packet } = rig.run(frame);
    const what = `seed ${seed}, round ${i}: ${frame.toHex()}`;
    const expected = [300, 299].map((ttl) =>
      answerTo(frame, { endpoints: ENDPOINTS, entries }, ttl)
    );
    if (expected[0] === null) {
      assert.equal(verdict, VERDICT.next, what);
      assert.equal(packet.toHex(), frame.toHex(), what);
      continue;
    }
    answered++;
    assert.equal(verdict, VERDICT.redirect, what);
    const got = withoutSums(packet).toHex();
    assert.ok(expected.some((one) => one!.toHex() === got), `${what}: ${got}`);
    assert.ok(sumsAgree(frame, packet), what);
  }
  assert.ok(answered > rounds / 20 && answered < rounds * 0.9, `${answered} answered`);
});

function message(octets: readonly number[]): Uint8Array {
  return frameOf({ message: octets });
}

function withOctet(frame: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = frame.slice();
  copy[at] = octet;
  return copy;
}

function tagged(frame: Uint8Array): Uint8Array {
  return new Uint8Array([...frame.subarray(0, 12), 0x81, 0, 0, 5, ...frame.subarray(12)]);
}
