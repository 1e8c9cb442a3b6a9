/**
 * Every directive of CoreDNS in the order of its chain (`plugin.cfg`), so that a Corefile means the
 * same in both. A minus marks those that nodens does not support. `rrl` is an external plugin; it
 * precedes everything that answers, to limit all answers.
 */
export const CHAIN: readonly { readonly name: string; readonly supported: boolean }[] = `
  root metadata -geoip cancel -proxyproto -quic -grpc_server -https -https3 timeouts multisocket
  reload nsid bufsize rrl bind debug trace ready health pprof -shed prometheus errors log -dnstap
  local dns64 any chaos loadbalance -tsig rewrite -autopath acl cache header -dnssec -tls minimal
  template -transfer hosts -route53 -azure -clouddns -k8s_external -kubernetes -file -auto
  -secondary -etcd loop forward -grpc -erratic whoami -on -sign -view -nomad
`.trim().split(/\s+/).map((word) => ({
  name: word.replace("-", ""),
  supported: !word.startsWith("-"),
}));
