/** One alert: series that raise it, series that do not, and what it then says. */
export interface AlertCase {
  alert: string;
  /** Series without the labels of the target; `values` as promtool expands them, one a minute. */
  fires: Series[];
  quiet: Series[];
  /** Minute at which both are looked at; everything has been true for long then. */
  minute: number;
  /** Labels of the alert beside those of the target. */
  labels: Record<string, string>;
  summary: string;
  /** Only where the rule's own text has a variable. */
  description?: string;
}

/** A metric with its labels, and its values. */
export interface Series {
  metric: string;
  values: string;
}

const s = (metric: string, values: string): Series => ({ metric, values });
const NODENS = s('nodens_build_info{version="0.1.0",deno="2.9.6"}', "1x120");
const SERVER = 'server="dns://169.254.20.10:53"';
const ZONE = `${SERVER},zone="cluster.local.",view=""`;
const CACHE = `${SERVER},zones="cluster.local.",view=""`;

/** A histogram of which `slow` in a minute fall between `below` and `above`, 1000 below. */
function slow(name: string, labels: string, [below, above]: [string, string], slow: number) {
  const bucket = (le: string, step: number) =>
    s(`${name}_bucket{${labels === "" ? "" : `${labels},`}le="${le}"}`, `0+${step}x120`);
  return [bucket(below, 1000), bucket(above, 1000 + slow), bucket("+Inf", 1000 + slow)];
}

/** A counter that goes up by `step` a minute. */
const up = (metric: string, step: number) => s(metric, `0+${step}x120`);

function counter(
  alert: string,
  metric: string,
  { fires, quiet = 0, labels = {}, summary, description }:
    & { fires: number; quiet?: number; labels?: Record<string, string> }
    & Pick<AlertCase, "summary" | "description">,
): AlertCase {
  return {
    alert,
    fires: [up(metric, fires)],
    quiet: [up(metric, quiet)],
    minute: 30,
    labels,
    summary,
    ...description === undefined ? {} : { description },
  };
}

function gauge(
  alert: string,
  metric: string,
  { fires, quiet, minute = 30, labels = {}, summary, description }:
    & { fires: number; quiet: number; minute?: number; labels?: Record<string, string> }
    & Pick<AlertCase, "summary" | "description">,
): AlertCase {
  return {
    alert,
    fires: [s(metric, `${fires}x120`)],
    quiet: [s(metric, `${quiet}x120`)],
    minute,
    labels,
    summary,
    ...description === undefined ? {} : { description },
  };
}

/** Every alert of deploy/prometheus/nodens.rules.yml; WHERE stands for the node. */
export const ALERTS: readonly AlertCase[] = [
  {
    alert: "NodensDown",
    fires: [s("up", "1x20 0x20"), s("nodens_build_info", "1x20")],
    quiet: [s("up", "1x40"), s("nodens_build_info", "1x40")],
    minute: 30,
    labels: {},
    summary: "nodens on WHERE cannot be scraped",
  },
  counter("NodensUnhealthy", "coredns_health_request_failures_total", {
    fires: 10,
    quiet: 1,
    summary: "nodens on WHERE does not answer its own queries",
    description: "20 of its queries to its own listeners failed within two minutes.",
  }),
  gauge("NodensFailOpenLost", 'nodens_failopen_level{family="4"}', {
    fires: 0,
    quiet: 1,
    labels: { family: "4" },
    summary: "nodens on WHERE has no fail-open for IPv4",
  }),
  gauge("NodensFailOpenLowered", 'nodens_failopen_level{family="6"}', {
    fires: 1,
    quiet: 2,
    minute: 90,
    labels: { family: "6" },
    summary: "nodens on WHERE has fail-open by heartbeat alone for IPv6",
  }),
  counter("NodensNodeSetupFails", 'coredns_nodecache_setup_errors_total{errortype="iptables"}', {
    fires: 1,
    labels: { errortype: "iptables" },
    summary: "nodens on WHERE cannot set its node up: iptables",
    description:
      "10 times within ten minutes. Its log says what is in the way, and what would help.",
  }),
  gauge("NodensDataPlaneStuck", "nodens_heartbeat_age_seconds", {
    fires: 4,
    quiet: 1,
    summary: "A data plane of nodens on WHERE stands still",
    description: "Its loop has not come round for 4s; at 5 s the process ends itself.",
  }),
  {
    alert: "NodensRestarted",
    fires: [s("process_start_time_seconds", "1x20 100 200 300 400x20"), NODENS],
    // Another program that restarts as often is none of ours.
    quiet: [s("process_start_time_seconds", "1x20 100 200 300 400x20")],
    minute: 25,
    labels: {},
    summary: "nodens on WHERE was started 4 times within 15 minutes",
  },
  counter("NodensPanics", "coredns_panics_total", {
    fires: 1,
    summary: "nodens on WHERE caught an exception",
  }),
  {
    alert: "NodensServfailRate",
    fires: [
      up(`coredns_dns_responses_total{${ZONE},rcode="SERVFAIL",plugin="forward"}`, 10),
      up(`coredns_dns_responses_total{${ZONE},rcode="NOERROR",plugin="cache"}`, 90),
    ],
    quiet: [
      up(`coredns_dns_responses_total{${ZONE},rcode="SERVFAIL",plugin="forward"}`, 1),
      up(`coredns_dns_responses_total{${ZONE},rcode="NOERROR",plugin="cache"}`, 90),
    ],
    minute: 30,
    labels: { server: "dns://169.254.20.10:53" },
    summary: "10% of the answers of nodens on WHERE are SERVFAIL",
  },
  gauge("NodensUpstreamDown", 'nodens_upstream_up{to="10.96.0.99:53"}', {
    fires: 0,
    quiet: 1,
    labels: { to: "10.96.0.99:53" },
    summary: "nodens on WHERE gets nothing from 10.96.0.99:53",
  }),
  counter("NodensAllUpstreamsDown", "coredns_forward_healthcheck_broken_total", {
    fires: 5,
    summary: "nodens on WHERE has no upstream that answers",
  }),
  gauge("NodensLoop", `nodens_loop_present{${SERVER},zone="."}`, {
    fires: 1,
    quiet: 0,
    labels: { server: "dns://169.254.20.10:53", zone: "." },
    summary: "An upstream of nodens on WHERE leads back to it (zone .)",
  }),
  {
    alert: "NodensUpstreamSlow",
    fires: slow(
      "coredns_proxy_request_duration_seconds",
      'proxy_name="forward",to="10.96.0.99:53",rcode="NOERROR"',
      ["1.024", "2.048"],
      1000,
    ),
    quiet: slow(
      "coredns_proxy_request_duration_seconds",
      'proxy_name="forward",to="10.96.0.99:53",rcode="NOERROR"',
      ["0.512", "2.048"],
      1,
    ),
    minute: 30,
    labels: { proxy_name: "forward", to: "10.96.0.99:53" },
    summary: "10.96.0.99:53 takes 2.028s for one reply in a hundred",
  },
  {
    alert: "NodensSlow",
    fires: slow("coredns_dns_request_duration_seconds", ZONE, ["1.024", "2.048"], 1000),
    quiet: slow("coredns_dns_request_duration_seconds", ZONE, ["0.512", "2.048"], 1),
    minute: 30,
    labels: {},
    summary: "nodens on WHERE takes 2.028s for one query in a hundred",
  },
  {
    alert: "NodensHitRatioLow",
    fires: [
      up(`coredns_cache_requests_total{${CACHE}}`, 6000),
      up(`coredns_cache_hits_total{${CACHE},type="success"}`, 600),
      up(`coredns_cache_hits_total{${CACHE},type="denial"}`, 600),
    ],
    // As bad, but hardly anybody asks.
    quiet: [
      up(`coredns_cache_requests_total{${CACHE}}`, 60),
      up(`coredns_cache_hits_total{${CACHE},type="success"}`, 6),
      up(`coredns_cache_hits_total{${CACHE},type="denial"}`, 6),
    ],
    minute: 100,
    labels: {},
    summary: "nodens on WHERE answers only 20% from its cache",
  },
  counter("NodensServesStale", `nodens_cache_stale_total{${SERVER},zones=".",reason="timeout"}`, {
    fires: 5,
    summary: "nodens on WHERE answers from stale entries because asking fails",
  }),
  counter("NodensShedsQueries", 'nodens_queries_shed_total{reason="client"}', {
    fires: 5,
    labels: { reason: "client" },
    summary: "nodens on WHERE turns queries away",
  }),
  counter("NodensSocketDrops", `nodens_socket_drops_total{${SERVER}}`, {
    fires: 5,
    labels: { server: "dns://169.254.20.10:53" },
    summary: "nodens on WHERE loses queries to dns://169.254.20.10:53 in the kernel",
  }),
  {
    alert: "NodensLoopLag",
    fires: slow("nodens_loop_lag_seconds", "", ["0.128", "0.256"], 1000),
    quiet: slow("nodens_loop_lag_seconds", "", ["0.064", "0.256"], 1),
    minute: 30,
    labels: {},
    summary: "The loop of nodens on WHERE is late by 253.4ms",
  },
  counter("NodensForgedReplies", 'nodens_forward_forgeries_suspected_total{from="."}', {
    fires: 5,
    labels: { from: "." },
    summary: "Somebody seems to forge replies to nodens on WHERE",
  }),
  counter("NodensReloadFailed", "coredns_reload_failed_total", {
    fires: 1,
    summary: "nodens on WHERE has not taken a new Corefile over",
  }),
  counter("NodensHostsRefused", 'nodens_hosts_refused_total{hostsfile="/etc/block"}', {
    fires: 1,
    labels: { hostsfile: "/etc/block" },
    summary: "nodens on WHERE has refused /etc/block: its table does not fit",
  }),
  counter("NodensTlsThreadRestarted", "nodens_tls_thread_restarts_total", {
    fires: 1,
    summary: "nodens on WHERE had to start its thread for TLS again",
  }),
  counter("NodensLogDropped", "nodens_log_lines_dropped_total", {
    fires: 5,
    summary: "nodens on WHERE loses log lines: whoever reads them is too slow",
  }),
  {
    alert: "NodensFileDescriptors",
    fires: [s("process_open_fds", "95x120"), s("process_max_fds", "100x120"), NODENS],
    // Another program's.
    quiet: [s("process_open_fds", "95x120"), s("process_max_fds", "100x120")],
    minute: 30,
    labels: {},
    summary: "nodens on WHERE has nearly no file descriptors left",
  },
];
