import assert from "node:assert/strict";
import { type Verb, VerbError } from "../../../src/plugins/verbs.ts";
import { withFolder } from "../../support/run/folder.ts";
import { rootReasons, skipFor, skipUnlessLinux } from "../../support/run/require.ts";
import { leaveSocket } from "../../support/servers/left_socket.ts";
import { until } from "../../support/run/until.ts";
import { openSocket, request } from "./scene.ts";

const SHOW: Verb = { name: "show", parameters: ["name"], run: (call) => [...call.parameters] };
const CHANGE: Verb = { name: "change", changes: true, parameters: ["name"], run: () => ({}) };
const REFUSE: Verb = {
  name: "refuse",
  run() {
    throw new VerbError("there is no such name; try another", 404);
  },
};
const FAIL: Verb = {
  name: "fail",
  run() {
    throw new Error("a secret");
  },
};

/** Runs a test with a control socket in its own folder. */
function test(
  name: string,
  use: (scene: { path: string; lines: string[] }) => Promise<void>,
  { verbs = [SHOW, CHANGE, REFUSE, FAIL], ...rest }: { verbs?: Verb[]; ignore?: boolean } = {},
): void {
  Deno.test(`control socket: ${name}`, rest, () =>
    withFolder(async (folder) => {
      const path = `${folder}/control.sock`;
      const { socket, lines } = await openSocket(path, verbs);
      try {
        await use({ path, lines });
      } finally {
        await socket.close();
      }
      assert.deepEqual([...Deno.readDirSync(folder)], [], "nothing is left");
    }));
}

for (
  const [what, target, method, status, text] of [
    ["shows JSON", "/v1/show?name=a%22b", "GET", 200, /^\[\["name","a\\"b"\]\]\n$/],
    ["takes POST for a change", "/v1/change?name=a", "POST", 200, /^\{\}\n$/],
    ["refuses GET for a change", "/v1/change?name=a", "GET", 400, /needs POST/],
    ["refuses an unknown parameter", "/v1/show?nmae=a", "GET", 400, /no parameter \\"nmae\\"/],
    ["refuses a repeated parameter", "/v1/show?name=a&name=b", "GET", 400, /name is given twice/],
    ["names the paths for an unknown verb", "/v1/shwo", "GET", 404, /\/v1\/show \/v1\/change/],
    ["refuses other methods", "/v1/show", "DELETE", 405, /only GET and POST/],
    ["passes on a refusal", "/v1/refuse", "GET", 404, /^\{"error":"there is no such name/],
    ["hides an exception", "/v1/fail", "GET", 500, /^nodens has failed here/],
  ] as const
) {
  test(what, async ({ path }) => {
    const answer = await request(path, target, { method });
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, text);
  });
}

test("only its owner may connect", ({ path }) => {
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  return Promise.resolve();
});

test("a change is logged with the caller, a look is not", async ({ path, lines }) => {
  await request(path, "/v1/show?name=a");
  await request(path, "/v1/change?name=x%0Ay", { method: "POST" });
  assert.deepEqual(lines, [
    `info control: change name="x\\ny" (from user ${Deno.uid()}, process ${Deno.pid})`,
  ]);
}, skipUnlessLinux());

test("another user is refused, whatever the mode of the file", async ({ path }) => {
  Deno.chmodSync(path.replace(/\/[^/]*$/, ""), 0o755);
  Deno.chmodSync(path, 0o777);
  const asNobody = ["--reuid", "65534", "curl", "-s", "-m", "5", "--unix-socket", path];
  const curl = new Deno.Command("setpriv", { args: [...asNobody, "http://n/v1/show?name=a"] });
  const { code, stdout } = await curl.output();
  assert.notEqual(code, 0);
  assert.equal(stdout.length, 0);
  assert.equal((await request(path, "/v1/show?name=a")).status, 200);
}, skipFor(rootReasons()));

test("a crowd of silent clients does not keep an operator out", async ({ path }) => {
  const crowd = await Promise.all(
    Array.from({ length: 40 }, () => Deno.connect({ transport: "unix", path })),
  );
  try {
    assert.equal((await request(path, "/v1/show?name=a")).status, 200);
  } finally {
    crowd.forEach((one) => one.close());
  }
});

Deno.test("control socket: a stream ends when its client leaves, and when the socket closes", () =>
  withFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    let running = 0;
    const stream: Verb = {
      name: "stream",
      run: ({ gone }) =>
        (async function* () {
          running++;
          yield { first: true };
          await new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve()));
          running--;
        })(),
    };
    const { socket } = await openSocket(path, [stream]);
    const open = async () => {
      const conn = await Deno.connect({ transport: "unix", path });
      await conn.write(new TextEncoder().encode("GET /v1/stream HTTP/1.1\r\nHost: n\r\n\r\n"));
      return conn;
    };
    const first = await open();
    await until(() => running === 1);
    first.close();
    await until(() => running === 0);
    const second = await open();
    await until(() => running === 1);
    await socket.close();
    await until(() => running === 0);
    second.close();
  }));

Deno.test("control socket: one left by a crash is replaced, another file is not", () =>
  withFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    leaveSocket(path);
    const { socket } = await openSocket(path, [SHOW]);
    assert.equal((await request(path, "/v1/show")).status, 200);
    await socket.close();
    Deno.writeTextFileSync(path, "precious");
    await assert.rejects(openSocket(path, [SHOW]), /control\.sock" is not a socket/);
    assert.equal(Deno.readTextFileSync(path), "precious");
  }));

Deno.test("control socket: only a successor takes the path of a process that serves", () =>
  withFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const one = await openSocket(path, [{ name: "who", run: () => ({ who: 1 }) }]);
    await assert.rejects(openSocket(path, []), /is the control socket of another process/);
    const two = await openSocket(path, [{ name: "who", run: () => ({ who: 2 }) }], {
      succeeds: true,
    });
    assert.match((await request(path, "/v1/who")).text, /2/);
    await one.socket.close();
    assert.match((await request(path, "/v1/who")).text, /2/, "the first leaves the file");
    await two.socket.close();
  }));

Deno.test("control socket: a path that cannot be used is an error that names it", () =>
  withFolder(async (folder) => {
    const long = `${folder}/${"x".repeat(100)}`;
    await assert.rejects(openSocket(long, []), /is too long for a socket/);
    Deno.writeTextFileSync(`${folder}/file`, "");
    await assert.rejects(openSocket(`${folder}/file/control.sock`, []), /file\/control\.sock"/);
    Deno.mkdirSync(`${folder}/open`);
    Deno.chmodSync(`${folder}/open`, 0o777);
    await assert.rejects(openSocket(`${folder}/open/control.sock`, []), /not a safe folder/);
  }));

for (
  const [name, mode, after] of [
    ["nodens", 0o777, 0o1777],
    ["nodens-1000", 0o2770, 0o3770],
    ["nodens", 0o755, 0o755],
    ["others", 0o777, null],
    ["xnodens", 0o777, null],
  ] as const
) {
  const what = after === null ? "not used" : `given mode ${after.toString(8)}`;
  Deno.test(`control socket: a folder "${name}" with mode ${mode.toString(8)} is ${what}`, () =>
    withFolder(async (folder) => {
      const own = `${folder}/${name}`;
      Deno.mkdirSync(own);
      Deno.chmodSync(own, mode);
      const opening = openSocket(`${own}/control.sock`, []);
      if (after === null) await assert.rejects(opening, /not a safe folder/);
      else await (await opening).socket.close();
      assert.equal(Deno.statSync(own).mode! & 0o7777, after ?? mode);
    }));
}

Deno.test({
  name: "control socket: a folder of another user, or behind that user's link, is not used",
  ...skipFor(rootReasons()),
  fn: () =>
    withFolder(async (folder) => {
      const nobody = 65_534;
      Deno.chmodSync(folder, 0o1777);
      Deno.mkdirSync(`${folder}/own`);
      Deno.symlinkSync(`${folder}/own`, `${folder}/fine`);
      const { socket } = await openSocket(`${folder}/fine/control.sock`, []);
      await socket.close();
      Deno.mkdirSync(`${folder}/theirs`);
      Deno.chownSync(`${folder}/theirs`, nobody, nobody);
      const owned = /theirs" is not a safe folder: the folder belongs to user 65534/;
      await assert.rejects(openSocket(`${folder}/theirs/control.sock`, []), owned);
      const args = ["--reuid", String(nobody), "ln", "-s", `${folder}/own`, `${folder}/link`];
      assert.equal((await new Deno.Command("setpriv", { args }).output()).code, 0);
      const linked = /link\/?" is not a safe folder: the symbolic link belongs to user 65534/;
      for (const slash of ["/", "//"]) {
        await assert.rejects(openSocket(`${folder}/link${slash}control.sock`, []), linked);
      }
    }),
});
