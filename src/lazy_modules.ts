/**
 * Modules that nodens imports only when it needs them. `deno compile` includes them by this file:
 * with `lazy-dynamic-imports` (deno.json) it follows no dynamic import itself. Without that option a
 * serving process has 1.5 MB more. A test compares what is embedded with the import graph.
 */
import "./cli/check/check.ts";
import "./cli/commands.ts";
import "./cli/doctor/doctor.ts";
import "./cli/healthcheck/healthcheck.ts";
import "./cli/main.ts";
import "./cli/manifest/manifest.ts";
import "./cli/operator/cache.ts";
import "./cli/operator/explain/explain.ts";
import "./cli/operator/process.ts";
import "./cli/operator/top.ts";
import "./cli/operator/upstreams.ts";
import "./cli/operator/watch.ts";
import "./cli/query/query.ts";
import "./cli/redirect/redirect.ts";
import "./cli/serve/serve.ts";
import "./cli/shell/complete.ts";
import "./cli/shell/help.ts";
import "./cli/shell/man.ts";
import "./cli/shell/scripts.ts";
import "./cli/status/status.ts";
import "./cli/status/text.ts";
import "./control/clients/kubelet_source.ts";
import "./control/clients/open.ts";
import "./control/endpoints/endpoints.ts";
import "./control/explain/explain.ts";
import "./control/observe/top_source.ts";
import "./control/operator/open.ts";
import "./control/page/page.ts";
import "./engine/explain/ask.ts";
import "./engine/explain/explain.ts";
import "./follow/host_watch.ts";
import "./node/conntrack.ts";
import "./node/interface/interface.ts";
import "./node/node_role.ts";
import "./node/node_rules.ts";
import "./node/template/base_corefile.ts";
import "./plugins/cache/companion/flush.ts";
import "./plugins/cache/companion/list_entries.ts";
import "./plugins/cache/companion/snapshot_files.ts";
import "./plugins/forward/companion/verbs.ts";
import "re2js";
import "yaml";
