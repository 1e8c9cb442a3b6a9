/** What a metric is to Prometheus. */
export type MetricType = "counter" | "gauge" | "histogram";

/** One family of metrics: what is exported beside its values. */
export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  /** One sentence, as scrapes carry it. */
  readonly help: string;
  /** Names of its labels, in the order in which they are written. */
  readonly labels: readonly string[];
  /** What several data planes' gauges make together. Counters and histograms are added up. */
  readonly merge?: "sum" | "min" | "max";
}

const ZONE = ["server", "zone", "view"] as const;
const CACHE = ["server", "zones", "view"] as const;
const CACHE_TYPE = ["server", "type", "zones", "view"] as const;
const OWN_CACHE = ["server", "zones"] as const;
const UPSTREAM = ["proxy_name", "to"] as const;

/**
 * Every metric that nodens can export. What is not here is not exported, and docs/metrics.md says
 * of each what it means; tests hold the three together.
 */
export const CATALOG: readonly Metric[] = [
  gauge("coredns_build_info", "Always 1; the labels say what this is.", [
    "version",
    "revision",
    "goversion",
  ]),
  gauge("nodens_build_info", "Always 1; the labels say what this is.", ["version", "deno"]),
  counter("coredns_panics_total", "Exceptions caught in the data planes, each a fault of nodens."),
  gauge("coredns_plugin_enabled", "Always 1, for each plugin of each zone.", [
    ...ZONE,
    "name",
  ]),

  counter("coredns_dns_requests_total", "Queries.", [...ZONE, "proto", "family", "type"]),
  histogram("coredns_dns_request_duration_seconds", "Time that queries took.", ZONE),
  histogram("coredns_dns_request_size_bytes", "Size of queries.", [...ZONE, "proto"]),
  histogram("coredns_dns_response_size_bytes", "Size of responses.", [...ZONE, "proto"]),
  counter("coredns_dns_responses_total", "Responses.", [...ZONE, "rcode", "plugin"]),
  counter("coredns_dns_do_requests_total", "Queries with the DO bit.", ZONE),

  gauge("coredns_cache_entries", "Entries in the cache.", CACHE_TYPE),
  counter("coredns_cache_requests_total", "Queries that came to the cache.", CACHE),
  counter("coredns_cache_hits_total", "Queries answered from the cache.", CACHE_TYPE),
  counter("coredns_cache_misses_total", "Queries not answered from the cache.", CACHE),
  counter("coredns_cache_prefetch_total", "Prefetches and refreshes begun.", CACHE),
  counter("coredns_cache_drops_total", "Responses not kept because they were malformed.", CACHE),
  counter("coredns_cache_served_stale_total", "Queries answered from stale entries.", CACHE),
  counter("coredns_cache_evictions_total", "Entries evicted before their time.", CACHE_TYPE),
  counter("nodens_cache_stale_total", "Queries answered from stale entries, by reason.", [
    ...OWN_CACHE,
    "reason",
  ]),
  counter(
    "nodens_cache_malformed_entries_total",
    "Malformed entries of a persist file, left out.",
    OWN_CACHE,
  ),
  gauge("nodens_cache_arena_bytes", "Memory for the messages in the cache.", OWN_CACHE),
  gauge("nodens_cache_bytes", "Memory for the messages and tables of the cache.", OWN_CACHE),

  counter("coredns_forward_healthcheck_broken_total", "Queries while all upstreams were down."),
  counter("coredns_forward_max_concurrent_rejects_total", "Queries refused by max_concurrent."),
  histogram("coredns_proxy_request_duration_seconds", "Time that upstreams took to reply.", [
    ...UPSTREAM,
    "rcode",
  ]),
  counter("coredns_proxy_healthcheck_failures_total", "Failed health checks.", UPSTREAM),
  counter("coredns_proxy_conn_cache_hits_total", "Queries over a connection that was there.", [
    ...UPSTREAM,
    "proto",
  ]),
  counter("coredns_proxy_conn_cache_misses_total", "Queries that a connection was opened for.", [
    ...UPSTREAM,
    "proto",
  ]),
  counter("nodens_forward_lookups_total", "Questions asked of upstreams.", ["from"]),
  counter("nodens_forward_coalesced_total", "Queries that joined another's question.", ["from"]),
  counter("nodens_forward_shed_total", "Queries turned away because too many waited.", ["from"]),
  counter("nodens_forward_hedges_total", "Questions asked of a second upstream by hedge.", [
    "from",
  ]),
  counter("nodens_forward_resends_total", "Questions sent again because they may be lost.", [
    "from",
  ]),
  counter("nodens_forward_socket_waits_total", "Queries that waited for a port or descriptor.", [
    "from",
  ]),
  counter("nodens_forward_socket_fallbacks_total", "Those that went over TCP in the end.", [
    "from",
  ]),
  counter("nodens_forward_mismatched_replies_total", "Replies to nothing that was asked.", [
    "from",
  ]),
  counter("nodens_forward_malformed_replies_total", "Replies that cannot be used.", ["from"]),
  counter(
    "nodens_forward_loop_refused_total",
    "Queries refused because every upstream leads into a loop.",
    ["from"],
  ),
  counter(
    "nodens_forward_wrong_subnets_total",
    "Replies dropped because they are for another client subnet.",
    ["from"],
  ),
  histogram("nodens_forward_reply_scan_seconds", "Time that checking a reply took.", ["from"]),
  counter("nodens_forward_forgeries_suspected_total", "Questions moved to TCP after bad replies.", [
    "from",
  ]),
  counter("nodens_upstream_replies_total", "Replies of an upstream.", ["to"]),
  counter("nodens_upstream_failures_total", "Failed attempts at an upstream.", ["to"]),
  counter("nodens_upstream_mismatched_replies_total", "Replies that answer nothing asked of it.", [
    "to",
  ]),
  gauge("nodens_upstream_rtt_seconds", "Smoothed time of an upstream's replies.", ["to"], "max"),
  gauge("nodens_upstream_up", "0 while an upstream counts as down, else 1.", ["to"], "min"),

  gauge("coredns_hosts_entries", "Entries of the hosts file and the Corefile.", [
    "hostsfile",
  ], "max"),
  gauge("coredns_hosts_reload_timestamp_seconds", "Time of the hosts file read last."),
  gauge("nodens_hosts_table_bytes", "Memory of the tables made of a hosts file.", ["hostsfile"]),
  gauge("nodens_hosts_skipped", "Lines and names of a hosts file that were skipped.", [
    "hostsfile",
  ]),
  counter("nodens_hosts_refused_total", "Hosts files refused for want of memory.", ["hostsfile"]),

  counter("coredns_template_matches_total", "Queries that a template answered.", [
    "zone",
    "class",
    "type",
  ]),
  counter("coredns_template_template_failures_total", "Templates that could not be evaluated.", [
    "zone",
    "class",
    "type",
    "section",
    "template",
  ]),
  counter("coredns_template_rr_failures_total", "Records of templates that could not be read.", [
    "zone",
    "class",
    "type",
    "section",
    "template",
  ]),
  counter("coredns_dns64_requests_translated_total", "Queries that dns64 made AAAA records for."),
  counter("coredns_acl_allowed_requests_total", "Queries that acl let pass."),
  counter("coredns_acl_blocked_requests_total", "Queries refused by acl.", ["zone"]),
  counter("coredns_acl_filtered_requests_total", "Queries answered with nothing by acl.", ["zone"]),
  counter("coredns_acl_dropped_requests_total", "Queries not answered, by acl.", ["zone"]),

  counter("nodens_loop_detected_total", "Forwarding loops found.", ["server", "zone"]),
  counter("nodens_loop_replays_total", "Probes that came back without showing a loop.", [
    "server",
    "zone",
  ]),
  gauge("nodens_loop_present", "1 while there is a forwarding loop, else 0.", [
    "server",
    "zone",
  ], "max"),

  histogram("coredns_health_request_duration_seconds", "Time that nodens's own queries took."),
  counter("coredns_nodecache_setup_errors_total", "Failures to set the node up, by what failed.", [
    "errortype",
  ]),
  gauge(
    "nodens_failopen_level",
    "Fail-open of the node's rules: 2 by heartbeat and socket, 1 by heartbeat, 0 none.",
    ["family"],
  ),
  counter("coredns_health_request_failures_total", "nodens's own queries without an answer."),
  counter("coredns_reload_failed_total", "New Corefiles that could not be taken over."),
  gauge("coredns_reload_version_info", "Always 1; the labels say what Corefile is served.", [
    "hash",
    "value",
  ]),

  counter("nodens_queries_total", "Messages that clients sent.", ["proto"]),
  counter("nodens_messages_dropped_total", "Messages that were no query."),
  counter("nodens_queries_refused_total", "Queries answered with an error before any plugin."),
  counter("nodens_in_flight_refused_total", "Queries refused by a table of questions in flight.", [
    "table",
    "reason",
  ]),
  counter("nodens_queries_shed_total", "Queries that could not wait because too many did.", [
    "reason",
  ]),
  counter("nodens_queries_discarded_total", "UDP queries not answered because it took too long."),
  counter("nodens_responses_limited_total", "Large UDP responses truncated by rrl."),
  counter("nodens_responses_lost_total", "UDP responses that the kernel did not take."),
  counter("nodens_queries_lost_total", "UDP queries to upstreams that the kernel had no room for."),
  counter("nodens_upstream_unexpected_replies_total", "Replies to nothing that waits.", ["proto"]),
  counter("nodens_streams_refused_total", "Connections refused because there were too many."),
  counter("nodens_streams_closed_total", "Connections that nodens closed, by reason.", ["reason"]),
  gauge("nodens_streams", "Open TCP connections of clients."),
  gauge("nodens_stream_bytes", "Memory for what waits in TCP connections of clients."),
  counter("nodens_log_lines_dropped_total", "Log lines lost because the log is too slow."),
  counter("nodens_log_bytes_total", "Bytes of log lines that the data planes wrote."),
  counter("nodens_socket_drops_total", "Queries lost because a socket's buffer was full.", [
    "server",
  ]),
  histogram("nodens_loop_lag_seconds", "How late the data planes' loops are, once a second."),
  counter("nodens_heartbeats_total", "Turns of the data planes' loops."),
  gauge("nodens_heartbeat_age_seconds", "Time since the laziest data plane turned its loop."),
  gauge("nodens_data_planes", "Data planes that run."),
  counter("nodens_data_plane_restarts_total", "Data planes started again after they had failed."),
  counter("nodens_metrics_without_room_total", "Series that found no room and are not exported."),
  counter(
    "nodens_unhandled_errors_total",
    "Exceptions caught in the control plane and the thread for TLS.",
  ),

  gauge("nodens_tls_threads", "Threads that speak TLS with upstreams."),
  counter("nodens_tls_thread_restarts_total", "Threads for TLS started again after a failure."),
  gauge("nodens_tls_streams", "Connections to upstreams over TLS, open or being opened."),
  gauge("nodens_tls_held_bytes", "Bytes that are under way to and from upstreams over TLS."),
  gauge("nodens_tls_held_limit_bytes", "Bytes that may be under way over TLS, in all."),
  gauge("nodens_tls_heap_bytes", "Memory of the JavaScript in the thread for TLS."),
  counter(
    "nodens_tls_queries_unsent_total",
    "Queries not sent over TLS because too much was on its way to that thread.",
  ),
  counter("nodens_tls_streams_closed_total", "Connections over TLS given up, by reason.", [
    "reason",
  ]),

  gauge("nodens_http_connections", "Open HTTP connections."),
  counter("nodens_http_connections_total", "HTTP connections accepted."),
  counter("nodens_http_connections_closed_total", "HTTP connections cut off, by reason.", [
    "reason",
  ]),
  counter("nodens_http_accept_failures_total", "HTTP connections that could not be accepted."),

  counter("process_cpu_seconds_total", "CPU time of the process."),
  gauge("process_open_fds", "Open file descriptors."),
  gauge("process_max_fds", "Most file descriptors that may be open."),
  gauge("process_virtual_memory_bytes", "Virtual memory."),
  gauge("process_resident_memory_bytes", "Resident memory."),
  gauge("process_start_time_seconds", "Start of the process since the Unix epoch."),
];

/** The catalog by name. */
export const METRICS: ReadonlyMap<string, Metric> = new Map(
  CATALOG.map((metric) => [metric.name, metric]),
);

function counter(name: string, help: string, labels: readonly string[] = []): Metric {
  return { name, type: "counter", help, labels };
}

function gauge(
  name: string,
  help: string,
  labels: readonly string[] = [],
  merge: Metric["merge"] = "sum",
): Metric {
  return { name, type: "gauge", help, labels, merge };
}

function histogram(name: string, help: string, labels: readonly string[] = []): Metric {
  return { name, type: "histogram", help, labels };
}
