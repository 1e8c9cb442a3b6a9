import assert from "node:assert/strict";
import { ServiceManager } from "../../../src/control/service/service_manager.ts";
import {
  handedDescriptors,
  notification,
  statusLine,
  watchdogPeriodMs,
} from "../../../src/control/service/service_environment.ts";
import { isLinux } from "../../support/run/require.ts";
import { receiving } from "../../support/processes/service.ts";

const linux = isLinux();

const variables = (values: Record<string, string>) => (name: string) => values[name];

Deno.test("descriptors: counted from 3, with names, and only those of this process", () => {
  const rows: { values: Record<string, string>; found: [number, string][] }[] = [
    { values: {}, found: [] },
    { values: { LISTEN_FDS: "2", LISTEN_PID: "7" }, found: [[3, ""], [4, ""]] },
    { values: { LISTEN_FDS: "2", LISTEN_PID: "8" }, found: [] },
    { values: { LISTEN_FDS: "2" }, found: [] },
    {
      values: { LISTEN_FDS: "2", LISTEN_PID: "7", LISTEN_FDNAMES: "udp:tcp" },
      found: [[3, "udp"], [4, "tcp"]],
    },
    {
      values: { LISTEN_FDS: "2", LISTEN_PID: "7", LISTEN_FDNAMES: "udp" },
      found: [[3, "udp"], [4, ""]],
    },
  ];
  for (const { values, found } of rows) {
    const descriptors = handedDescriptors(variables(values), 7);
    assert.deepEqual(descriptors.map(({ fd, name }) => [fd, name]), found, JSON.stringify(values));
  }
  for (const bad of ["", "-1", "two", "1025", "99999999999999999999"]) {
    assert.throws(
      () => handedDescriptors(variables({ LISTEN_FDS: bad, LISTEN_PID: "7" }), 7),
      /LISTEN_FDS: ".*" is no number of sockets \(0 to 1024\)/,
    );
  }
});

Deno.test("the watchdog's period, for this process or for any", () => {
  const rows: [Record<string, string>, number | null][] = [
    [{}, null],
    [{ WATCHDOG_USEC: "15000000" }, 15_000],
    [{ WATCHDOG_USEC: "15000000", WATCHDOG_PID: "7" }, 15_000],
    [{ WATCHDOG_USEC: "15000000", WATCHDOG_PID: "8" }, null],
    [{ WATCHDOG_USEC: "18446744073709551" }, null],
  ];
  for (const [values, period] of rows) {
    assert.equal(watchdogPeriodMs(variables(values), 7), period, JSON.stringify(values));
  }
  for (const bad of ["", "0", "-5", "1s"]) {
    assert.throws(
      () => watchdogPeriodMs(variables({ WATCHDOG_USEC: bad }), 7),
      /is no time in microseconds/,
    );
  }
});

Deno.test("a status is one line, whatever it is made of", () => {
  assert.equal(statusLine("a fault\nREADY=1\n"), "a fault; READY=1");
  assert.equal(statusLine("x".repeat(2000)).length, 1000);
  const bytes = notification({ READY: 1, STATUS: "serving" });
  assert.equal(new TextDecoder().decode(bytes), "READY=1\nSTATUS=serving\n");
});

/** A socket that takes what is sent or not, and remembers it. */
function fakeSocket() {
  const sent: string[] = [];
  const socket = {
    takes: true,
    sent,
    send(bytes: Uint8Array): boolean {
      if (socket.takes) sent.push(new TextDecoder().decode(bytes));
      return socket.takes;
    },
    close(): void {},
  };
  return socket;
}

function manager(values: Record<string, string>, socket = fakeSocket()) {
  const logs: string[] = [];
  const service = new ServiceManager({
    log: (level, line) => logs.push(`${level}: ${line}`),
    read: variables(values),
    pid: 7,
    open: () => socket,
    monotonicUsec: () => 1234n,
  });
  return { service, socket, logs };
}

Deno.test("nothing is said without NOTIFY_SOCKET, and nothing is logged about it", () => {
  const { service, socket, logs } = manager({ WATCHDOG_USEC: "3000" });
  assert.equal(service.present, false);
  service.ready("serving");
  service.reloading();
  service.status("still serving");
  assert.equal(service.watchdog(), null);
  service.stopping();
  service.close();
  assert.deepEqual([socket.sent, logs], [[], []]);
});

Deno.test("ready, reloading, status and stopping as sd_notify has them", () => {
  const { service, socket } = manager({ NOTIFY_SOCKET: "/run/x" });
  service.ready("serving .:53");
  service.reloading();
  service.ready("serving .:53");
  service.status("one\ntwo");
  service.stopping();
  service.close();
  assert.deepEqual(socket.sent, [
    "READY=1\nMAINPID=7\nSTATUS=serving .:53\n",
    "RELOADING=1\nMONOTONIC_USEC=1234\n",
    "READY=1\nMAINPID=7\nSTATUS=serving .:53\n",
    "STATUS=one; two\n",
    "STOPPING=1\nSTATUS=stopping\n",
  ]);
});

Deno.test("a socket that cannot be opened is a warning", () => {
  const logs: string[] = [];
  const service = new ServiceManager({
    log: (level, line) => logs.push(`${level}: ${line}`),
    read: variables({ NOTIFY_SOCKET: "vsock:2:1" }),
    pid: 7,
  });
  service.ready("serving");
  service.close();
  assert.equal(logs.length, 1);
  if (linux) assert.match(logs[0]!, /^warning: .*"vsock:2:1" is neither a path nor "@"/);
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const limitMs = performance.now() + 15_000;
  while (!condition()) {
    assert.ok(performance.now() < limitMs, `${what}: not within 15 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("what is not taken waits its turn", async () => {
  const { service, socket } = manager({ NOTIFY_SOCKET: "/run/x" });
  socket.takes = false;
  service.ready("one");
  service.stopping();
  socket.takes = true;
  service.status("two");
  await until(() => socket.sent.length === 3, "sent again");
  assert.deepEqual(socket.sent.map((text) => text.split("\n")[0]), [
    "READY=1",
    "STOPPING=1",
    "STATUS=two",
  ]);
  service.close();
});

Deno.test("the watchdog: whom the data plane gives signs, and signs while nodens stops", async () => {
  const values = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "30000", WATCHDOG_PID: "7" };
  const { service, socket, logs } = manager(values);
  assert.deepEqual(service.watchdog(), { socket: "/run/x", everyMs: 10 });
  assert.deepEqual(socket.sent, []);
  service.stopping();
  const signs = () => socket.sent.filter((text) => text === "WATCHDOG=1\n");
  await until(() => signs().length >= 3, "signs of life while stopping");
  service.close();
  assert.deepEqual(logs, []);
  const odd = manager({ ...values, WATCHDOG_USEC: "often" });
  assert.equal(odd.service.watchdog(), null);
  assert.match(odd.logs[0]!, /^warning: the watchdog gets no sign of life: WATCHDOG_USEC: "often"/);
});

if (linux) {
  Deno.test("a real socket gets every notification, and the clock is the system's", async () => {
    await receiving(async (path, next) => {
      const values: Record<string, string> = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000" };
      const service = new ServiceManager({ log: () => {}, read: variables(values) });
      service.ready("serving");
      assert.equal(await next(), `READY=1\nMAINPID=${Deno.pid}\nSTATUS=serving\n`);
      service.reloading();
      const usec = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$/.exec(await next())![1]);
      const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]) * 1e6;
      // A suspended machine's uptime goes on where the monotonic clock stands still.
      assert.ok(usec > 0 && usec <= uptime + 1e6, `${usec} of ${uptime}`);
      service.stopping();
      assert.equal(await next(), "WATCHDOG=1\n");
      assert.equal(await next(), "STOPPING=1\nSTATUS=stopping\n");
      service.close();
    });
  });

  Deno.test("a socket that has gone costs a warning and nothing else", async () => {
    const logs: string[] = [];
    const read = variables({ NOTIFY_SOCKET: "/nonexistent/notify" });
    const service = new ServiceManager({ log: (_level, line) => logs.push(line), read });
    service.ready("serving");
    await until(() => logs.length > 0, "a warning");
    assert.deepEqual(logs, ["the service manager takes no notifications ($NOTIFY_SOCKET)"]);
    service.close();
  });
}
