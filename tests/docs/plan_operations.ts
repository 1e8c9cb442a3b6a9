import { SOURCE_V8_FLAGS } from "../../release/v8_flags.ts";
import { BOOTED, type PlannedPage, READY, run, skip, UPSTREAM } from "./plan.ts";

/** Names below broken.example.org cannot be queried. */
const COREFILE = `
cat >Corefile <<'END'
.:1053 {
    bind 127.0.0.1
    errors
    prometheus
    forward broken.example.org 127.0.0.153:9
    forward . 127.0.0.153 {
        except broken.example.org
    }
}
END
# Processes that serve it.
serving() {
  ss -Hlnup 'sport = :1053' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u
}
# Waits until there are so many.
await_serving() {
  for ((i = 0; i < 400; i++)); do
    if [ "$(serving | wc -l)" = "$1" ]; then return 0; fi
    sleep 0.05
  done
  return 1
}
`;

export const OPERATIONS: PlannedPage = {
  path: "docs/operations.md",
  needs: ["jq", "ss", "systemctl"],
  setup: `
export SYSTEMD_OFFLINE=1
echo nameserver 127.0.0.153 >/etc/resolv.conf
${UPSTREAM}
${COREFILE}`,
  // Without systemd, units are only enabled.
  replace: { " --now": "" },
  steps: [
    {
      run: `nodens -log-format json -conf Corefile | jq -c 'select(.plugin == "errors")'`,
      // In the other terminal, somebody asks and stops it.
      before: `{
  await_serving 1
  nodens query www.broken.example.org @127.0.0.1 -p 1053
  kill $(serving)
} >/dev/null &`,
      prints: /^\{.*"plugin":"errors".*www\.broken\.example\.org.*\}\n$/,
    },
    ...skip(BOOTED, "journalctl -u nodens -p warning"),
    {
      run: "nodens -conf Corefile &",
      before: `serve '^nodens [0-9]' nodens -conf Corefile\nOLD=$(serving)`,
    },
    { run: 'kill -TERM "$OLD"', before: "await_serving 2" },
    ...skip(
      BOOTED,
      "systemd-run --unit nodens-beside -p User=nodens -p Group=nodens   " +
        "-p AmbientCapabilities=CAP_NET_BIND_SERVICE -E DENO_DIR=/var/cache/nodens " +
        "/usr/local/bin/nodens -conf /etc/nodens/Corefile",
      "sleep 2",
      "systemctl restart nodens",
      "systemctl stop nodens-beside",
    ),
    {
      run: "nodens status --json | " +
        `jq -e '[.blocks[].forwards[].upstreams[] | select(.state == "down")] == []'`,
      before: "wait $server\nawait_serving 1\ntest $(serving) != $OLD",
      prints: /^true\n$/,
    },
    {
      run: `deno run -A ${SOURCE_V8_FLAGS} main.ts -conf Corefile`,
      before: "kill $(serving)\nawait_serving 0",
      serves: READY,
    },
    {
      run: "install -D -m 644 nodens.sysusers /usr/lib/sysusers.d/nodens.conf && systemd-sysusers",
      before: "cp Corefile deploy/systemd && cd deploy/systemd",
    },
    {
      run: "install -m 644 nodens.service nodens.socket /etc/systemd/system/ && " +
        "systemctl daemon-reload",
      before: "id nodens",
    },
    ...run("install -D -m 644 Corefile /etc/nodens/Corefile"),
    {
      run: "systemctl enable --now nodens.service",
      prints: /Created symlink .*multi-user\.target\.wants\/nodens\.service/,
    },
    ...skip(BOOTED, "systemctl stop nodens.service"),
    {
      run: "systemctl enable --now nodens.socket",
      prints: /Created symlink .*sockets\.target\.wants\/nodens\.socket/,
    },
    ...skip(BOOTED, "systemctl start nodens.service"),
  ],
};
