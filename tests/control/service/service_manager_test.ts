import assert from "node:assert/strict";
import { ServiceManager } from "../../../src/control/service/service_manager.ts";
import {
  handedDescriptors,
  notification,
  statusLine,
  watchdogPeriodMs,
} from "../../../src/control/service/service_environment.ts";
import { isLinux } from "../../support/run/require.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { receiving } from "../../support/processes/service.ts";

const linux = isLinux();

const variables = (values: Record<string, string>) => (name: string) => values[name];

Deno.test("service manager: descriptors are numbered from 3 and have names, for this process only", () => {
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
      /LISTEN_FDS: ".*" is not a number of sockets \(0 to 1024\)/,
    );
  }
});

Deno.test("service manager: the watchdog's period applies to this process, or to any", () => {
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
      /is not a time in microseconds/,
    );
  }
});

Deno.test("service manager: a status is one line", () => {
  assert.equal(statusLine("a fault\nREADY=1\n"), "a fault; READY=1");
  assert.equal(statusLine("x".repeat(2000)).length, 1000);
  const bytes = notification({ READY: 1, STATUS: "serving" });
  assert.equal(new TextDecoder().decode(bytes), "READY=1\nSTATUS=serving\n");
});

function fakeSocket() {
  const sent: string[] = [];
  const socket = {
    accepts: true,
    sent,
    send(bytes: Uint8Array): boolean {
      if (socket.accepts) sent.push(new TextDecoder().decode(bytes));
      return socket.accepts;
    },
    close(): void {},
  };
  return socket;
}

function manager(values: Record<string, string>, socket = fakeSocket()) {
  const logs: string[] = [];
  const clock = new VirtualClock();
  const service = new ServiceManager({
    log: (level, line) => logs.push(`${level}: ${line}`),
    read: variables(values),
    pid: 7,
    open: () => socket,
    monotonicUsec: () => 1234n,
    clock,
  });
  return { service, socket, logs, clock };
}

Deno.test("service manager: without NOTIFY_SOCKET nothing is sent or logged", () => {
  const { service, socket, logs } = manager({ WATCHDOG_USEC: "3000" });
  service.ready("serving");
  service.reloading();
  assert.equal(service.watchdog(), null);
  service.stopping();
  service.close();
  assert.deepEqual([socket.sent, logs], [[], []]);
});

Deno.test("service manager: ready, reloading and stopping are sent in sd_notify's format", () => {
  const { service, socket } = manager({ NOTIFY_SOCKET: "/run/x" });
  service.ready("serving .:53");
  service.reloading();
  service.ready("one\ntwo");
  service.stopping();
  service.close();
  assert.deepEqual(socket.sent, [
    "READY=1\nMAINPID=7\nSTATUS=serving .:53\n",
    "RELOADING=1\nMONOTONIC_USEC=1234\n",
    "READY=1\nMAINPID=7\nSTATUS=one; two\n",
    "STOPPING=1\nSTATUS=stopping\n",
  ]);
});

Deno.test("service manager: a socket that cannot be opened causes a warning", () => {
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

Deno.test("service manager: notifications that are not accepted are retried in order", async () => {
  const { service, socket, clock } = manager({ NOTIFY_SOCKET: "/run/x" });
  socket.accepts = false;
  service.reloading();
  service.ready("one");
  socket.accepts = true;
  service.stopping();
  await clock.advance(100);
  assert.deepEqual(socket.sent.map((text) => text.split("\n")[0]), [
    "RELOADING=1",
    "READY=1",
    "STOPPING=1",
  ]);
  service.close();
});

Deno.test("service manager: the data plane notifies the watchdog until nodens stops", async () => {
  const values = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "30000", WATCHDOG_PID: "7" };
  const { service, socket, logs, clock } = manager(values);
  assert.deepEqual(service.watchdog(), { socket: "/run/x", everyMs: 10 });
  await clock.advance(20);
  assert.deepEqual(socket.sent, []);
  service.stopping();
  await clock.advance(20);
  assert.equal(socket.sent.filter((text) => text === "WATCHDOG=1\n").length, 3);
  service.close();
  assert.equal(clock.timers, 0);
  assert.deepEqual(logs, []);
  const odd = manager({ ...values, WATCHDOG_USEC: "often" });
  assert.equal(odd.service.watchdog(), null);
  assert.match(odd.logs[0]!, /^warning: cannot notify the watchdog: WATCHDOG_USEC: "often"/);
});

if (linux) {
  Deno.test("service manager: a real socket gets every notification, with the system's clock", async () => {
    await receiving(async (path, next) => {
      const values: Record<string, string> = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000" };
      const service = new ServiceManager({ log: () => {}, read: variables(values) });
      service.ready("serving");
      assert.equal(await next(), `READY=1\nMAINPID=${Deno.pid}\nSTATUS=serving\n`);
      service.reloading();
      const usec = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$/.exec(await next())![1]);
      const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]) * 1e6;
      // Uptime includes suspension, the monotonic clock does not.
      assert.ok(usec > 0 && usec <= uptime + 1e6, `${usec} of ${uptime}`);
      service.stopping();
      assert.equal(await next(), "WATCHDOG=1\n");
      assert.equal(await next(), "STOPPING=1\nSTATUS=stopping\n");
      service.close();
    });
  });

  Deno.test("service manager: a socket that disappears causes one warning", async () => {
    const logs: string[] = [];
    const clock = new VirtualClock();
    const read = variables({ NOTIFY_SOCKET: "/nonexistent/notify" });
    const service = new ServiceManager({ log: (_level, line) => logs.push(line), read, clock });
    service.ready("serving");
    await clock.advance(60_000);
    assert.deepEqual(logs, ["the service manager does not read notifications ($NOTIFY_SOCKET)"]);
    service.close();
  });
}
