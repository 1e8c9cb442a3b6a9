/** Prometheus metric type. */
export type MetricType = "counter" | "gauge" | "histogram";

/** A family of metrics. */
export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** How values of several data planes are combined. */
  readonly merge: "sum" | "min" | "max";
}

/** Every exported metric, as explained in docs/metrics.md. */
const TABLE = `
gauge coredns_build_info{version,revision,goversion} Always 1; the labels identify the build.
gauge nodens_build_info{version,deno} Always 1; the labels identify the build.
counter coredns_panics_total Exceptions caught in the data planes, each a fault of nodens.
gauge coredns_plugin_enabled{server,zone,view,name} Always 1, for each plugin of each zone.

counter coredns_dns_requests_total{server,zone,view,proto,family,type} Queries.
histogram coredns_dns_request_duration_seconds{server,zone,view} Time that queries took.
histogram coredns_dns_request_size_bytes{server,zone,view,proto} Size of queries.
histogram coredns_dns_response_size_bytes{server,zone,view,proto} Size of responses.
counter coredns_dns_responses_total{server,zone,view,rcode,plugin} Responses.
counter coredns_dns_do_requests_total{server,zone,view} Queries with the DO bit.

gauge coredns_cache_entries{server,type,zones,view} Entries in the cache.
counter coredns_cache_requests_total{server,zones,view} Queries that reached the cache.
counter coredns_cache_hits_total{server,type,zones,view} Queries answered from the cache.
counter coredns_cache_misses_total{server,zones,view} Queries not answered from the cache.
counter coredns_cache_prefetch_total{server,zones,view} Prefetches and refreshes begun.
counter coredns_cache_drops_total{server,zones,view} Responses not kept because they were malformed.
counter coredns_cache_served_stale_total{server,zones,view} Queries answered from stale entries.
counter coredns_cache_evictions_total{server,type,zones,view} Entries evicted before their time.
counter nodens_cache_stale_total{server,zones,reason} Queries answered from stale entries, by reason.
histogram nodens_cache_stale_age_seconds{server,zones} Time since stale entries expired when they were served.
counter nodens_cache_refresh_saved_total{server,zones} Entries refreshed before they expired, and then asked for.
counter nodens_cache_malformed_entries_total{server,zones} Malformed entries of a persist file, left out.
gauge nodens_cache_arena_bytes{server,zones} Memory for the messages in the cache.
gauge nodens_cache_bytes{server,zones} Memory for the messages and tables of the cache.
gauge nodens_cache_pinned{server,zones,state} Names and types of keep, by state of their answers.
counter nodens_cache_pinned_failures_total{server,zones} Failed refreshes of names of keep.
counter nodens_cache_search_cut_answers_total{server,zones} Queries answered by the denial of a name above.
counter nodens_cache_search_cut_probes_total{server,zones,finding} Names asked for by search_cut.
gauge nodens_cache_search_cuts{server,zones} Denied names that answer for names below.
gauge nodens_cache_search_cut_zones{server,zones,state} Zones of search_cut, by trust in their upstream.

counter coredns_forward_healthcheck_broken_total Queries while all upstreams were down.
counter coredns_forward_max_concurrent_rejects_total Queries refused by max_concurrent.
histogram coredns_proxy_request_duration_seconds{proxy_name,to,rcode} Time that upstreams took to reply.
counter coredns_proxy_healthcheck_failures_total{proxy_name,to} Failed health checks.
counter coredns_proxy_conn_cache_hits_total{proxy_name,to,proto} Queries over an existing connection.
counter coredns_proxy_conn_cache_misses_total{proxy_name,to,proto} Queries that a connection was opened for.
counter nodens_forward_lookups_total{from} Questions asked of upstreams.
counter nodens_forward_coalesced_total{from} Queries that joined another's question.
counter nodens_forward_shed_total{from} Queries turned away because too many waited.
counter nodens_forward_hedges_total{from} Questions asked of a second upstream by hedge.
counter nodens_forward_resends_total{from} Questions sent again because they may be lost.
counter nodens_forward_socket_waits_total{from} Queries that waited for a port or descriptor.
counter nodens_forward_socket_fallbacks_total{from} Queries sent over TCP in the end for want of a port.
counter nodens_forward_mismatched_replies_total{from} Replies that match no question asked.
counter nodens_forward_malformed_replies_total{from} Replies that cannot be used.
counter nodens_forward_loop_refused_total{from} Queries refused because every upstream leads into a loop.
counter nodens_forward_wrong_subnets_total{from} Replies dropped because they are for another client subnet.
histogram nodens_forward_reply_scan_seconds{from} Time that checking a reply took.
counter nodens_forward_forgeries_suspected_total{from} Questions moved to TCP after bad replies.
counter nodens_upstream_replies_total{to} Replies of an upstream.
counter nodens_upstream_failures_total{to} Failed attempts at an upstream.
counter nodens_upstream_timeouts_total{to} Attempts at an upstream that it was silent to.
counter nodens_upstream_hedges_total{to} Questions asked of an upstream by hedge, beside another.
counter nodens_upstream_hedges_won_total{to} Questions asked by hedge that an upstream answered first.
counter nodens_upstream_resends_total{to} Queries to an upstream in place of one that may be lost.
counter nodens_upstream_mismatched_replies_total{to} Replies of an upstream that match no question asked of it.
gauge(max) nodens_upstream_rtt_seconds{to} Smoothed time of an upstream's replies.
gauge(min) nodens_upstream_up{to} 0 while an upstream counts as down, else 1.
gauge nodens_upstream_forced{to,state} 1 while an operator has set an upstream to up or down.

gauge(max) coredns_hosts_entries{hostsfile} Entries of the hosts file and the Corefile.
gauge coredns_hosts_reload_timestamp_seconds Time of the hosts file read last.
gauge nodens_hosts_table_bytes{hostsfile} Memory of the tables made of a hosts file.
gauge nodens_hosts_skipped{hostsfile} Lines and names of a hosts file that were skipped.
counter nodens_hosts_refused_total{hostsfile} Hosts files refused for want of memory.

counter coredns_template_matches_total{zone,class,type} Queries that a template answered.
counter coredns_template_template_failures_total{zone,class,type,section,template} Templates that could not be evaluated.
counter coredns_template_rr_failures_total{zone,class,type,section,template} Records of templates that could not be read.
counter coredns_dns64_requests_translated_total Queries that dns64 made AAAA records for.
counter coredns_acl_allowed_requests_total Queries that acl let pass.
counter coredns_acl_blocked_requests_total{zone} Queries refused by acl.
counter coredns_acl_filtered_requests_total{zone} Queries answered with nothing by acl.
counter coredns_acl_dropped_requests_total{zone} Queries not answered, by acl.

counter nodens_loop_detected_total{server,zone} Forwarding loops found.
counter nodens_loop_replays_total{server,zone} Probes that came back without showing a loop.
gauge(max) nodens_loop_present{server,zone} 1 while there is a forwarding loop, else 0.

histogram coredns_health_request_duration_seconds Duration of nodens's own queries.
counter coredns_nodecache_setup_errors_total{errortype} Failures to set the node up, by what failed.
gauge nodens_failopen_level{family} Fail-open of the node's rules: 2 by heartbeat and socket, 1 by heartbeat, 0 none.
gauge(max) nodens_failopen_active{address} 1 while queries to an address pass nodens by, else 0.
gauge nodens_node_rules{family} 1 if the node's rules were in place at the last check, else 0.
counter coredns_health_request_failures_total nodens's own queries without an answer.
counter coredns_reload_failed_total New Corefiles that could not be loaded.
gauge coredns_reload_version_info{hash,value} Always 1; the labels identify the Corefile.

counter nodens_kernel_answers_total Queries that the program in the kernel answered.
counter nodens_kernel_passes_total{reason} Messages to port and address of a listener that the program passed up, by reason.
gauge nodens_kernel_entries Answers that the program can give, one for each name, type and listener.
gauge nodens_kernel_interfaces Interfaces that have the program.
gauge nodens_kernel_hits_bytes Memory of the maps that the program shares with the data plane.
gauge nodens_kernel_hits_refusals{reason} 1 while the kernel cannot answer for a reason, else 0.

counter nodens_queries_total{proto} Messages that clients sent.
counter nodens_answers_total{source} Answers sent to clients, by who answered.
counter nodens_messages_dropped_total Messages that were not queries.
counter nodens_queries_refused_total Queries answered with an error before any plugin.
counter nodens_client_queries_total{client_namespace} Queries by the namespace of the client.
counter nodens_client_failures_total{client_namespace} Queries answered with SERVFAIL or not at all.
counter nodens_client_nxdomain_total{client_namespace} Queries for names that do not exist.
gauge nodens_client_names Client addresses with a name.
gauge nodens_client_names_age_seconds Time since the names of clients were last read without a fault.
counter nodens_client_names_failures_total Attempts to read the names of clients that failed.
counter nodens_in_flight_refused_total{table,reason} Queries refused by a table of questions in flight.
counter nodens_queries_shed_total{reason} Queries that could not wait because too many did.
counter nodens_queries_discarded_total UDP queries not answered because it took too long.
counter nodens_responses_limited_total Large UDP responses truncated by rrl.
counter nodens_responses_lost_total UDP responses that the kernel did not take.
counter nodens_queries_lost_total UDP queries to upstreams that the kernel had no room for.
counter nodens_upstream_unexpected_replies_total{proto} Replies that match no waiting query.
counter nodens_streams_refused_total Connections refused because there were too many.
counter nodens_streams_closed_total{reason} Connections that nodens closed, by reason.
gauge nodens_streams Open TCP connections of clients.
gauge nodens_stream_bytes Memory for data that waits in clients' TCP connections.
counter nodens_log_lines_dropped_total Log lines lost because the log is too slow.
counter nodens_log_bytes_total Bytes of log lines that the data planes wrote.
counter nodens_socket_drops_total{server} Queries lost because a socket's buffer was full.
histogram nodens_loop_lag_seconds How late the data planes' loops are, once a second.
counter nodens_heartbeats_total Iterations of the data planes' loops.
gauge nodens_heartbeat_age_seconds Age of the oldest heartbeat of a data plane.
gauge nodens_data_planes Running data planes.
counter nodens_data_plane_restarts_total Data planes started again after they had failed.
counter nodens_metrics_without_room_total Series not exported for want of room.
counter nodens_unhandled_errors_total Exceptions caught in the control plane and the thread for TLS.

gauge nodens_tls_threads Threads that speak TLS with upstreams.
counter nodens_tls_thread_restarts_total Threads for TLS started again after a failure.
gauge nodens_tls_streams Connections to upstreams over TLS, open or being opened.
gauge nodens_tls_held_bytes Bytes in transit to and from upstreams over TLS.
gauge nodens_tls_held_limit_bytes Limit of the bytes in transit over TLS.
gauge nodens_tls_heap_bytes JavaScript heap of the thread for TLS.
counter nodens_tls_queries_unsent_total Queries not sent over TLS because too much was waiting for that thread.
counter nodens_tls_streams_closed_total{reason} TLS connections to upstreams closed, by reason.

gauge nodens_http_connections Open HTTP connections.
counter nodens_http_connections_total HTTP connections accepted.
counter nodens_http_connections_closed_total{reason} HTTP connections cut off, by reason.
counter nodens_http_accept_failures_total HTTP connections that could not be accepted.

counter process_cpu_seconds_total CPU time of the process.
gauge process_open_fds Open file descriptors.
gauge process_max_fds Limit of open file descriptors.
gauge process_virtual_memory_bytes Virtual memory.
gauge process_resident_memory_bytes Resident memory.
gauge process_start_time_seconds Start of the process since the Unix epoch.
`;

/** By name, in exposition order. */
export const METRICS: ReadonlyMap<string, Metric> = new Map(
  TABLE.split("\n").filter((line) => line !== "").map((line) => {
    const [, type, merge, name, labels, help] = /^(\w+)(?:\((min|max)\))? (\w+)(?:\{(.+)\})? (.+)$/
      .exec(line)!;
    return [name!, {
      name: name!,
      type: type as MetricType,
      help: help!,
      labels: labels?.split(",") ?? [],
      merge: (merge ?? "sum") as Metric["merge"],
    }];
  }),
);
