{{/* Addresses that nodens listens on, space-separated: in iptables mode also kube-dns's. */}}
{{- define "nodens.listen" -}}
{{- $addresses := list .Values.localDns .Values.dualStack.localDns -}}
{{- if eq .Values.mode "iptables" -}}
{{- $addresses = concat $addresses (list .Values.kubeDns .Values.dualStack.kubeDns) -}}
{{- end -}}
{{- $addresses | compact | join " " -}}
{{- end -}}

{{/* The local address before a port. */}}
{{- define "nodens.host" -}}
{{- if contains ":" .Values.localDns }}[{{ .Values.localDns }}]{{ else }}{{ .Values.localDns }}{{ end -}}
{{- end -}}

{{/* The upstream for names of the cluster. */}}
{{- define "nodens.clusterDns" -}}
{{- if eq .Values.mode "ipvs" -}}
{{- list .Values.kubeDns .Values.dualStack.kubeDns | compact | join " " -}}
{{- else -}}
__PILLAR__CLUSTER__DNS__
{{- end -}}
{{- end -}}

{{/* Lines within "cache" that bridge failures and pauses. */}}
{{- define "nodens.bridging" -}}
# Asked 5 times with gaps below a minute: fetched again before it expires.
prefetch 5 1m 10%
# While upstreams fail or take longer than a second: the last answer, for at most an hour.
serve_stale 1h verify 1s
{{- end -}}

{{/* A cache with a TTL of at most 30 seconds. */}}
{{- define "nodens.cache" -}}
{{- if .Values.plain -}}
cache 30
{{- else -}}
cache 30 {
    {{- include "nodens.bridging" . | nindent 4 }}
}
{{- end -}}
{{- end -}}

{{- define "nodens.corefile" -}}
{{ .Values.domain }}:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
        {{- if not .Values.plain }}
        {{- include "nodens.bridging" . | nindent 8 }}
        {{- end }}
    }
    reload
    loop
    bind {{ include "nodens.listen" . }}
    forward . {{ include "nodens.clusterDns" . }} {
        force_tcp
    }
    prometheus [{$POD_IP}]:9253
    health {{ include "nodens.host" . }}:8080
    ready {{ include "nodens.host" . }}:8181
}
{{- range list "in-addr.arpa" "ip6.arpa" }}
{{ . }}:53 {
    errors
    {{- include "nodens.cache" $ | nindent 4 }}
    reload
    loop
    bind {{ include "nodens.listen" $ }}
    forward . {{ include "nodens.clusterDns" $ }} {
        force_tcp
    }
    prometheus [{$POD_IP}]:9253
}
{{- end }}
.:53 {
    errors
    {{- include "nodens.cache" . | nindent 4 }}
    reload
    loop
    bind {{ include "nodens.listen" . }}
    forward . __PILLAR__UPSTREAM__SERVERS__
    prometheus [{$POD_IP}]:9253
}
{{ end -}}

{{/* Labels and annotations of several objects. */}}
{{- define "nodens.labels" -}}
k8s-app: node-local-dns
{{- end -}}
{{- define "nodens.metricsAnnotations" -}}
prometheus.io/port: "9253"
prometheus.io/scrape: "true"
{{- end -}}
