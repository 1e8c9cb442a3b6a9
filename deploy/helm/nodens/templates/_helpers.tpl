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

{{- define "nodens.corefile" -}}
{{ .Values.domain }}:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
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
    cache 30
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
    cache 30
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
