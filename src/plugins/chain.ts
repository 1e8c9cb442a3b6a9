/** CoreDNS's directives in chain order; a minus marks unsupported ones. `rrl` is external. */
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
