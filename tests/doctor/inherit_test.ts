import assert from "node:assert/strict";
import { judgeInherit } from "../../src/doctor/judge/corefile.ts";
import type { DoctorOptions } from "../../src/doctor/probe/options.ts";
import { probeInherit } from "../../src/doctor/probe/corefile.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const COREFILE = `cluster.local {
    forward . 10.96.0.11
}
. {
    forward . /etc/resolv.conf
}
`;
const MAPS = `kind: ConfigMap
metadata: {name: coredns}
data:
  Corefile: |
    . {
        log
        template IN A a.test
        forward . /etc/resolv.conf
    }
    acme.local {
        forward . 198.51.100.1
    }
`;

async function judge(text: string | null, maps: string | null, file = "/c.yaml") {
  const host = fakeHost(maps === null ? {} : { "/c.yaml": maps });
  const served = text === null ? null : { file: "/Corefile", text };
  const facts = { source: "Corefile", faults: [], warnings: [], config: null, served };
  const options = {
    inherit: file,
    domain: "cluster.local",
    node: { dnsPort: 53 },
  } as DoctorOptions;
  return judgeInherit(await probeInherit(options, facts, host));
}

Deno.test("inherit: what the node lacks is a warning with the command that brings it over", async () => {
  const { status, found, remedy } = await judge(COREFILE, MAPS);
  assert.equal(status, "warning");
  assert.equal(
    found,
    "not on the node:\nCorefile:6: the zone acme.local (198.51.100.1)\n" +
      "(Corefile:3: template is not compared)",
  );
  assert.match(remedy, /^nodens manifest -from MANIFEST -inherit \/c\.yaml .* brings it over; /);
});

Deno.test("inherit: a node that has it all is ok", async () => {
  const { status, found } = await judge(
    `${COREFILE}acme.local {\n    forward . 198.51.100.1\n}\n`,
    MAPS,
  );
  assert.equal(status, "ok");
  assert.match(found, /^the node has the stub zones, .* of \/c\.yaml\n\(Corefile:3: template/);
});

Deno.test("inherit: without a Corefile it is skipped; a wrong file is a problem", async () => {
  assert.equal((await judge(null, MAPS)).status, "skipped");
  const absent = await judge(COREFILE, null);
  assert.deepEqual([absent.status, absent.found], [
    "problem",
    '/c.yaml: cannot read "/c.yaml": there is no such file',
  ]);
  const other = await judge(COREFILE, "kind: Pod\n");
  assert.equal(other.status, "problem");
  assert.match(other.found, /^\/c\.yaml: there is no ConfigMap in it/);
  assert.match(other.remedy, /kubectl -n kube-system get configmap coredns coredns-custom/);
});
