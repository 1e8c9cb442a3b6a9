import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { InheritedSockets } from "../../../src/control/service/inherited_sockets.ts";
import { Address } from "../../../src/dns/address.ts";
import { adopt, inspectDescriptor } from "../../../src/io/linux/listen.ts";
import type { InheritedSocket } from "../../../src/io/sockets.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { openBound } from "../../support/processes/service.ts";
import { SOCKADDR_SIZE, writeSockaddr } from "../../../src/sys/sockaddr.ts";
import { planeDefaults } from "../../support/processes/plane_defaults.ts";
import { askTcp, askUdp } from "../../support/processes/drivers.ts";
import { freePort, haveIpv6 } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { frame } from "../../support/simulation/simulation.ts";
import { isLinux } from "../../support/run/require.ts";

const linux = isLinux();

function configOf(corefile: string) {
  return loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, fakeHost()).config;
}

const isOpen = (fd: number) => openLibc().fcntl(fd, 1, 0) >= 0;

interface Started {
  planes: DataPlane[];
  warnings: string[];
}

async function serving(
  options: {
    corefile: string;
    fds: number[];
    workers?: number;
    /** Without a listener: closed at once, so their numbers are free for others. */
    useless?: boolean;
  },
  use: (started: Started) => Promise<void>,
): Promise<void> {
  const config = configOf(options.corefile);
  const warnings: string[] = [];
  const log = (level: string, line: string) => warnings.push(`${level}: ${line}`);
  const handed = options.fds.map((fd) => ({ fd, name: "nodens.socket" }));
  const inherited = new InheritedSockets(openLibc(), handed, log);
  const count = inherited.assign(config.listeners, options.workers ?? 1);
  const planes = Array.from({ length: count }, () =>
    new DataPlane(config, {
      ...planeDefaults(log),
      driver: "linux",
      inherited,
      onDead: (why) => {
        throw new Error(why);
      },
    }));
  try {
    planes.forEach((plane, others) => plane.bind(others));
    await Promise.all(planes.map((plane) => plane.start()));
    await use({ planes, warnings });
  } finally {
    await Promise.all(planes.map((plane) => plane.stop(2000)));
    if (!options.useless) options.fds.forEach((fd) => openLibc().close(fd));
  }
}

const whoami = (port: number, bind: string) => `.:${port} {\n ${bind}\n whoami\n}\n`;

async function answers(port: number, hostname = "127.0.0.1"): Promise<void> {
  const query = queryBytes({ name: "www.example.org" });
  assert.equal(decode(await askUdp(query, { port, hostname })).rcode, "NOERROR");
  const [answer] = await askTcp([frame(query)], { port, hostname });
  assert.equal(decode(answer!).rcode, "NOERROR");
}

if (linux) {
  Deno.test("socket activation: queries already in the sockets are answered", async () => {
    const port = freePort();
    const fds = [openBound({ kind: "udp", port }), openBound({ kind: "tcp", port })];
    // Sent before any process serves: the kernel queues it.
    const early = askUdp(queryBytes({ name: "early.example.org" }), { port, limitMs: 30_000 });
    const corefile = whoami(port, "bind 127.0.0.1");
    await serving({ corefile, fds }, async ({ warnings, planes }) => {
      assert.equal(decode(await early).rcode, "NOERROR");
      await answers(port);
      assert.deepEqual(warnings, []);
      // Stopping does not close handed-over sockets.
      await planes[0]!.stop(2000);
      assert.deepEqual(fds.map(isOpen), [true, true]);
    });
  });

  Deno.test("socket activation: a missing UDP or TCP socket is opened", async () => {
    for (const kind of ["udp", "tcp"] as const) {
      const port = freePort();
      const fds = [openBound({ kind, port })];
      const corefile = whoami(port, "bind 127.0.0.1");
      await serving({ corefile, fds }, async ({ warnings }) => {
        await answers(port);
        assert.deepEqual(warnings, []);
      });
    }
  });

  Deno.test("socket activation: a socket without a listener is closed with a warning", async () => {
    const [port, other] = [freePort(), freePort()];
    const fds = [openBound({ kind: "udp", port: other }), openBound({ kind: "tcp", port: other })];
    const corefile = whoami(port, "bind 127.0.0.1");
    await serving({ corefile, fds, useless: true }, async ({ warnings }) => {
      await answers(port);
      Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: other }).close();
      Deno.listen({ hostname: "127.0.0.1", port: other }).close();
      assert.equal(warnings.length, 2);
      const place = `127\\.0\\.0\\.1:${other}`;
      assert.match(
        warnings[0]!,
        new RegExp(
          `^warning: the handed-over socket ${place} \\(udp, descriptor ${
            fds[0]
          }, nodens\\.socket\\)` +
            ` is closed: no server block listens there.*"bind 127\\.0\\.0\\.1" with port ${other}`,
        ),
      );
      assert.match(warnings[1]!, /\(tcp, .*remove ListenStream= from the socket unit/);
    });
  });

  Deno.test("socket activation: an unsuitable descriptor is named, and closed if it was handed over", () => {
    const libc = openLibc();
    const pair = [libc.socket(1, 2, 0), libc.socket(2, 2, 0)];
    const connected = pair[1]!;
    const address = Object.assign(new Address(), { port: 9 });
    address.bytes.set([127, 0, 0, 1]);
    const name = new Uint8Array(SOCKADDR_SIZE);
    libc.connect(connected, name, writeSockaddr(address, name));
    const event = libc.eventfd(0, 0);
    const ours = libc.socket(2, 2 | 0o2000000, 0);
    const closed = libc.socket(2, 2, 0);
    libc.close(closed);
    const warnings: string[] = [];
    const handed = [...pair, event, ours, closed].map((fd) => ({ fd, name: "" }));
    new InheritedSockets(libc, handed, (_level, line) => warnings.push(line));
    assert.deepEqual(warnings, [
      `descriptor ${pair[0]} was handed over and is closed: it has no IP address` +
      " (write ListenDatagram=ADDRESS:PORT)",
      `descriptor ${connected} was handed over and is closed: it is connected to one client` +
      " (write Accept=no)",
      `descriptor ${event} was handed over and is closed: it is not a socket`,
      `descriptor ${ours} was handed over and is ignored: it was not handed over`,
      `descriptor ${closed} was handed over and is ignored: it is not open`,
    ]);
    assert.deepEqual([...pair, event, ours].map(isOpen), [false, false, false, true]);
    libc.close(ours);
  });

  Deno.test("socket activation: an adopted socket is non-blocking, close-on-exec, and keeps its buffer", () => {
    const libc = openLibc();
    const udp = openBound({ kind: "udp", port: freePort() });
    const found = inspectDescriptor(libc, { fd: udp, name: "" }) as InheritedSocket;
    assert.deepEqual([found.kind, found.address.family, found.dual, found.reusePort], [
      "udp",
      4,
      false,
      false,
    ]);
    const fd = adopt(libc, found);
    assert.notEqual(fd, udp);
    assert.equal(libc.fcntl(fd, 1, 0) & 1, 1, "FD_CLOEXEC");
    assert.equal(libc.fcntl(fd, 3, 0) & 0o4000, 0o4000, "O_NONBLOCK");
    const size = () => {
      const value = new Int32Array(1);
      libc.getsockopt(fd, 1, 8, value, new Uint32Array([4]));
      return value[0]!;
    };
    // SO_RCVBUFFORCE, like ReceiveBuffer= of a socket unit; requires root.
    if (libc.setsockopt(fd, 1, 33, new Int32Array([32 * 1024 * 1024]), 4) === 0) {
      const before = size();
      libc.close(adopt(libc, found));
      assert.equal(size(), before);
    }
    libc.close(fd);
    libc.close(udp);
  });

  Deno.test("socket activation: each data plane gets its own socket", async () => {
    const port = freePort();
    const make = () =>
      (["udp", "tcp"] as const).map((kind) => openBound({ kind, port, reusePort: true }));
    const fds = [...make(), ...make(), ...make()];
    const corefile = whoami(port, "bind 127.0.0.1");
    await serving({ corefile, fds, workers: 2 }, async ({ planes, warnings }) => {
      assert.equal(planes.length, 2);
      assert.deepEqual(warnings, []);
      // The kernel chooses among three sockets; an unserved one would keep its share.
      const ids = Array.from({ length: 40 }, (_, id) => id);
      await Promise.all(ids.map((id) => askUdp(queryBytes({ name: "a.test", id }), { port })));
    });
  });

  Deno.test("socket activation: fewer sockets run fewer data planes, with a warning", async () => {
    const port = freePort();
    const fds = [openBound({ kind: "udp", port }), openBound({ kind: "tcp", port })];
    const corefile = whoami(port, "bind 127.0.0.1");
    await serving({ corefile, fds, workers: 4 }, async ({ planes, warnings }) => {
      assert.equal(planes.length, 1);
      assert.equal(warnings.length, 1);
      assert.match(
        warnings[0]!,
        /^warning: -workers 4: running 1, as .* \(write its line 4 times .*with ReusePort=yes\)$/,
      );
      await answers(port);
    });
  });

  Deno.test("socket activation: the error about a missing socket has a remedy", async () => {
    const port = freePort();
    const fds = [openBound({ kind: "udp", host: "0.0.0.0", port })];
    const corefile = whoami(port, "bind 0.0.0.0") +
      `one.test:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    await assert.rejects(
      () =>
        serving({ corefile: corefile.replace(".:", "two.test:"), fds }, () => Promise.resolve()),
      /other sockets of port \d+ were handed over: let the socket unit open this one as well/,
    );
  });
}

if (linux && haveIpv6()) {
  Deno.test("socket activation: a dual-stack socket answers both families from the queried address", async () => {
    const port = freePort();
    const fds = (["udp", "tcp"] as const).map((kind) =>
      openBound({ kind, host: "::", port, dual: true })
    );
    await serving({ corefile: `.:${port} {\n whoami\n}\n`, fds }, async ({ warnings }) => {
      assert.deepEqual(warnings, []);
      for (const hostname of ["127.0.0.1", "127.0.0.5", "::1"]) await answers(port, hostname);
      const query = queryBytes({ name: "www.example.org" });
      const answer = decode(await askUdp(query, { port }));
      const record = answer.additionals!.find(({ type }) => type === "A" || type === "AAAA");
      assert.equal((record as { data: string }).data, "127.0.0.1", "IPv4 is reported as IPv4");
    });
  });

  Deno.test("socket activation: with an IPv6-only socket the IPv4 socket is opened", async () => {
    const port = freePort();
    const fds = (["udp", "tcp"] as const).map((kind) => openBound({ kind, host: "::", port }));
    await serving({ corefile: `.:${port} {\n whoami\n}\n`, fds }, async () => {
      for (const hostname of ["127.0.0.1", "::1"]) await answers(port, hostname);
    });
  });
}
