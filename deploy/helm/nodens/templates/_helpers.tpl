{{/* The addresses that nodens listens on, with spaces between: in iptables mode kube-dns's too. */}}
{{- define "nodens.listen" -}}
{{- $addresses := list .Values.localDns .Values.dualStack.localDns -}}
{{- if eq .Values.mode "iptables" -}}
{{- $addresses = concat $addresses (list .Values.kubeDns .Values.dualStack.kubeDns) -}}
{{- end -}}
{{- $addresses | compact | join " " -}}
{{- end -}}

{{/* The local address as it stands before a port. */}}
{{- define "nodens.host" -}}
{{- if contains ":" .Values.localDns }}[{{ .Values.localDns }}]{{ else }}{{ .Values.localDns }}{{ end -}}
{{- end -}}

{{/* Where names of the cluster are asked for. */}}
{{- define "nodens.clusterDns" -}}
{{- if eq .Values.mode "ipvs" -}}
{{- list .Values.kubeDns .Values.dualStack.kubeDns | compact | join " " -}}
{{- else -}}
__PILLAR__CLUSTER__DNS__
{{- end -}}
{{- end -}}

{{/* What a node's cache is for beside being near; as lines within "cache". */}}
{{- define "nodens.bridging" -}}
# Asked 5 times with gaps below a minute: fetched again before it expires.
prefetch 5 1m 10%
# While upstreams fail or take longer than a second: the last answer, for at most an hour.
serve_stale 1h verify 1s
{{- end -}}

{{/* The cache of a zone whose answers are kept for 30 seconds at most. */}}
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

{{/* Labels and annotations that stand in several places. */}}
{{- define "nodens.labels" -}}
k8s-app: node-local-dns
{{- end -}}
{{- define "nodens.metricsAnnotations" -}}
prometheus.io/port: "9253"
prometheus.io/scrape: "true"
{{- end -}}
