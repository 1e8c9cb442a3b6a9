export interface AlertCase {
  alert: string;
  /** Series without the target's labels. */
  fires: Series[];
  quiet: Series[];
  /** Minute of the evaluation, long after the series began. */
  minute: number;
  /** Labels besides the target's. */
  labels: Record<string, string>;
  /** WHERE stands for the node. */
  summary: string;
  /** Only if the rule's text has a variable. */
  description?: string;
}

export interface Series {
  metric: string;
  values: string;
}

type Steps = readonly [fires: number, quiet: number];
type Text = [summary: string, more?: Partial<Pick<AlertCase, "labels" | "minute" | "description">>];

const s = (metric: string, values: string): Series => ({ metric, values });
const up = (metric: string, step: number) => s(metric, `0+${step}x120`);

function raise(
  alert: string,
  fires: Series[],
  quiet: Series[],
  ...[summary, more]: Text
): AlertCase {
  return { alert, fires, quiet, minute: 30, labels: {}, summary, ...more };
}

/** An alert on a counter, by its growth a minute. */
function counter(alert: string, metric: string, [fires, quiet]: Steps, ...text: Text) {
  return raise(alert, [up(metric, fires)], [up(metric, quiet)], ...text);
}

function gauge(alert: string, metric: string, [fires, quiet]: Steps, ...text: Text) {
  return raise(alert, [s(metric, `${fires}x120`)], [s(metric, `${quiet}x120`)], ...text);
}

/** A histogram with `slow` values a minute between `below` and `above`, and 1000 below. */
function slow(name: string, labels: string, [below, above]: [string, string], slow: number) {
  const bucket = (le: string, step: number) =>
    up(`${name}_bucket{${labels === "" ? "" : `${labels},`}le="${le}"}`, step);
  return [bucket(below, 1000), bucket(above, 1000 + slow), bucket("+Inf", 1000 + slow)];
}

const NODENS = s('nodens_build_info{version="0.1.0",deno="2.9.6"}', "1x120");
const ADDRESS = "dns://169.254.20.10:53";
const SERVER = `server="${ADDRESS}"`;
const ZONE = `${SERVER},zone="cluster.local.",view=""`;
const CACHE = `${SERVER},zones="cluster.local.",view=""`;
const UPSTREAM = 'proxy_name="forward",to="10.96.0.99:53",rcode="NOERROR"';

const responses = (servfail: number) => [
  up(`coredns_dns_responses_total{${ZONE},rcode="SERVFAIL",plugin="forward"}`, servfail),
  up(`coredns_dns_responses_total{${ZONE},rcode="NOERROR",plugin="cache"}`, 90),
];
const hits = (requests: number) => [
  up(`coredns_cache_requests_total{${CACHE}}`, requests),
  up(`coredns_cache_hits_total{${CACHE},type="success"}`, requests / 10),
  up(`coredns_cache_hits_total{${CACHE},type="denial"}`, requests / 10),
];
const STARTS = s("process_start_time_seconds", "1x20 100 200 300 400x20");
const FILES = [s("process_open_fds", "95x120"), s("process_max_fds", "100x120")];

export const ALERTS: readonly AlertCase[] = [
  raise(
    "NodensDown",
    [s("up", "1x20 0x20"), s("nodens_build_info", "1x20")],
    [s("up", "1x40"), s("nodens_build_info", "1x40")],
    "nodens on WHERE cannot be scraped",
  ),
  counter(
    "NodensUnhealthy",
    "coredns_health_request_failures_total",
    [10, 1],
    "nodens on WHERE does not answer its own queries",
    { description: "20 of its queries to its own listeners failed within two minutes." },
  ),
  gauge(
    "NodensFailOpenLost",
    'nodens_failopen_level{family="4"}',
    [0, 1],
    "nodens on WHERE has no fail-open for IPv4",
    { labels: { family: "4" } },
  ),
  gauge(
    "NodensFailOpenLowered",
    'nodens_failopen_level{family="6"}',
    [1, 2],
    "nodens on WHERE has fail-open by heartbeat alone for IPv6",
    { minute: 90, labels: { family: "6" } },
  ),
  gauge(
    "NodensFailOpenActive",
    'nodens_failopen_active{address="10.96.0.10"}',
    [1, 0],
    "Queries to 10.96.0.10 pass nodens on WHERE by",
    { labels: { address: "10.96.0.10" } },
  ),
  gauge(
    "NodensRulesMissing",
    'nodens_node_rules{family="6"}',
    [0, 1],
    "The rules of nodens on WHERE for IPv6 are not in place",
    { labels: { family: "6" } },
  ),
  counter(
    "NodensClientNamesFail",
    "nodens_client_names_failures_total",
    [1, 0],
    "nodens on WHERE cannot read the names of its clients",
  ),
  counter(
    "NodensNodeSetupFails",
    'coredns_nodecache_setup_errors_total{errortype="iptables"}',
    [1, 0],
    "nodens on WHERE cannot set its node up: iptables",
    {
      labels: { errortype: "iptables" },
      description:
        "10 times within ten minutes. Its log says what is in the way, and what would help.",
    },
  ),
  gauge(
    "NodensDataPlaneStuck",
    "nodens_heartbeat_age_seconds",
    [4, 1],
    "A data plane of nodens on WHERE stands still",
    { description: "Its loop has not come round for 4s; at 5 s the process ends itself." },
  ),
  // Another program may restart as often.
  raise(
    "NodensRestarted",
    [STARTS, NODENS],
    [STARTS],
    "nodens on WHERE was started 4 times within 15 minutes",
    { minute: 25 },
  ),
  counter("NodensPanics", "coredns_panics_total", [1, 0], "nodens on WHERE caught an exception"),
  raise(
    "NodensServfailRate",
    responses(10),
    responses(1),
    "10% of the answers of nodens on WHERE are SERVFAIL",
    { labels: { server: ADDRESS } },
  ),
  gauge(
    "NodensUpstreamDown",
    'nodens_upstream_up{to="10.96.0.99:53"}',
    [0, 1],
    "nodens on WHERE gets nothing from 10.96.0.99:53",
    { labels: { to: "10.96.0.99:53" } },
  ),
  gauge(
    "NodensUpstreamForced",
    'nodens_upstream_forced{to="10.96.0.99:53",state="down"}',
    [1, 0],
    "10.96.0.99:53 is set to down by hand in nodens on WHERE",
    { labels: { to: "10.96.0.99:53", state: "down" }, minute: 90 },
  ),
  counter(
    "NodensAllUpstreamsDown",
    "coredns_forward_healthcheck_broken_total",
    [5, 0],
    "nodens on WHERE has no upstream that answers",
  ),
  gauge(
    "NodensLoop",
    `nodens_loop_present{${SERVER},zone="."}`,
    [1, 0],
    "An upstream of nodens on WHERE leads back to it (zone .)",
    { labels: { server: ADDRESS, zone: "." } },
  ),
  raise(
    "NodensUpstreamSlow",
    slow("coredns_proxy_request_duration_seconds", UPSTREAM, ["1.024", "2.048"], 1000),
    slow("coredns_proxy_request_duration_seconds", UPSTREAM, ["0.512", "2.048"], 1),
    "10.96.0.99:53 takes 2.028s for one reply in a hundred",
    { labels: { proxy_name: "forward", to: "10.96.0.99:53" } },
  ),
  raise(
    "NodensSlow",
    slow("coredns_dns_request_duration_seconds", ZONE, ["1.024", "2.048"], 1000),
    slow("coredns_dns_request_duration_seconds", ZONE, ["0.512", "2.048"], 1),
    "nodens on WHERE takes 2.028s for one query in a hundred",
  ),
  // With few queries the same ratio is quiet.
  raise(
    "NodensHitRatioLow",
    hits(6000),
    hits(60),
    "nodens on WHERE answers only 20% from its cache",
    { minute: 100 },
  ),
  counter(
    "NodensServesStale",
    `nodens_cache_stale_total{${SERVER},zones=".",reason="timeout"}`,
    [5, 0],
    "nodens on WHERE answers from stale entries because asking fails",
  ),
  raise(
    "NodensPinnedNameFails",
    [
      s(`nodens_cache_pinned{${SERVER},zones=".",state="stale"}`, "2x120"),
      s(`nodens_cache_pinned{${SERVER},zones=".",state="missing"}`, "1x120"),
      s(`nodens_cache_pinned{${SERVER},zones=".",state="fresh"}`, "5x120"),
    ],
    [
      s(`nodens_cache_pinned{${SERVER},zones=".",state="stale"}`, "0x120"),
      s(`nodens_cache_pinned{${SERVER},zones=".",state="fresh"}`, "8x120"),
    ],
    "nodens on WHERE has no fresh answer for 3 names of keep",
  ),
  counter(
    "NodensShedsQueries",
    'nodens_queries_shed_total{reason="client"}',
    [5, 0],
    "nodens on WHERE turns queries away",
    { labels: { reason: "client" } },
  ),
  counter(
    "NodensSocketDrops",
    `nodens_socket_drops_total{${SERVER}}`,
    [5, 0],
    "nodens on WHERE loses queries to dns://169.254.20.10:53 in the kernel",
    { labels: { server: ADDRESS } },
  ),
  raise(
    "NodensLoopLag",
    slow("nodens_loop_lag_seconds", "", ["0.128", "0.256"], 1000),
    slow("nodens_loop_lag_seconds", "", ["0.064", "0.256"], 1),
    "The loop of nodens on WHERE is late by 253.4ms",
  ),
  counter(
    "NodensForgedReplies",
    'nodens_forward_forgeries_suspected_total{from="."}',
    [5, 0],
    "Somebody seems to forge replies to nodens on WHERE",
    { labels: { from: "." } },
  ),
  counter(
    "NodensReloadFailed",
    "coredns_reload_failed_total",
    [1, 0],
    "nodens on WHERE has not taken a new Corefile over",
  ),
  counter(
    "NodensHostsRefused",
    'nodens_hosts_refused_total{hostsfile="/etc/block"}',
    [1, 0],
    "nodens on WHERE has refused /etc/block: its table does not fit",
    { labels: { hostsfile: "/etc/block" } },
  ),
  counter(
    "NodensTlsThreadRestarted",
    "nodens_tls_thread_restarts_total",
    [1, 0],
    "nodens on WHERE had to start its thread for TLS again",
  ),
  counter(
    "NodensLogDropped",
    "nodens_log_lines_dropped_total",
    [5, 0],
    "nodens on WHERE loses log lines: whoever reads them is too slow",
  ),
  raise(
    "NodensFileDescriptors",
    [...FILES, NODENS],
    FILES,
    "nodens on WHERE has nearly no file descriptors left",
  ),
];
