{{/* Locust's config file: one `key = value` per line. */}}

{{/* A value as the program reads it: numbers without exponents, lists with commas, maps as JSON. */}}
{{- define "milvus-loadgen.text" -}}
{{- if kindIs "slice" . }}
{{- $parts := list }}
{{- range . }}{{ $parts = append $parts (include "milvus-loadgen.text" .) }}{{ end }}
{{- join "," $parts }}
{{- else if kindIs "map" . }}
{{- toJson . }}
{{- else if and (kindIs "float64" .) (eq (floor .) .) }}
{{- printf "%.0f" . }}
{{- else }}
{{- toString . | replace "\n" " " }}
{{- end }}
{{- end }}

{{/* Quotes protect # and ; in a value. These keys take a list unchanged; texts of the first two may contain quotes. */}}
{{- define "milvus-loadgen.line" -}}
{{- if and (kindIs "slice" .value) (has .key (list "require" "variants" "fault" "tags" "exclude-tags")) }}
{{- .key }} = {{ toJson .value }}
{{- else if and (has .key (list "require" "variants" "fault")) (contains "\"" (toString .value)) }}
{{- .key }} = {{ toJson (list .value) }}
{{- else }}
{{- .key }} = "{{ include "milvus-loadgen.text" .value }}"
{{- end }}
{{- end }}

{{/* How to reach Milvus, without the token, because this becomes a ConfigMap. An address with a password is in the Secret. */}}
{{- define "milvus-loadgen.connection" -}}
{{- $uri := required "milvus.uri: give the address of Milvus, such as http://my-milvus:19530" .Values.milvus.uri }}
{{- if not (include "milvus-loadgen.secretAddress" .) }}
host = "{{ $uri }}"
{{- end }}
{{- with .Values.milvus.tls }}
{{- range $key, $file := dict "ca-file" .caFile "client-cert-file" .clientCertFile "client-key-file" .clientKeyFile "server-cert-file" .serverCertFile }}
{{- if $file }}
{{- $_ := required (printf "milvus.tls.existingSecret: name the Secret that has %s" $file) $.Values.milvus.tls.existingSecret }}
{{ $key }} = "/etc/loadgen/tls/{{ $file }}"
{{- end }}
{{- end }}
{{- if ne (empty .clientCertFile) (empty .clientKeyFile) }}
{{- fail "milvus.tls: mutual TLS needs clientCertFile and clientKeyFile" }}
{{- end }}
{{- with .serverName }}
server-name = "{{ . }}"
{{- end }}
{{- end }}
{{- end }}

{{/* Options of Locust that are for the master only: a worker would write the same files. */}}
{{- define "milvus-loadgen.mastersOwn" -}}
["csv", "csv-full-history", "html", "json", "json-file", "web-login"]
{{- end }}

{{/* --fresh goes to the init container that prepares: in the file it would load the data twice. */}}
{{- define "milvus-loadgen.config" -}}
{{ include "milvus-loadgen.connection" . }}
{{- if .Values.metrics.enabled }}
{{- if has (int64 .Values.metrics.port) (list (int64 5556) (int64 5557) (int64 8089)) }}
{{- fail (printf "metrics.port: %d is used by Locust itself, or by the heartbeat: choose another, such as 9646" (int64 .Values.metrics.port)) }}
{{- end }}
metrics-port = "{{ .Values.metrics.port }}"
metrics-bind = "{{ .Values.metrics.bind }}"
metrics-linger = "{{ .Values.metrics.lingerSeconds }}"
{{- else }}
metrics-port = "off"
{{- end }}
record = "/record"
{{- with .Values.record.url }}
record-url = "{{ . }}"
{{- end }}
print-record = "{{ .Values.record.print }}"
{{- if and (eq .Values.mode "job") (not (hasKey .Values.loadgen "only-summary")) }}
only-summary = "true"
{{- end }}
{{- range $key, $value := .Values.loadgen }}
{{- if not (or (and (eq $key "fresh") $.Values.prepare.enabled) (has $key (include "milvus-loadgen.mastersOwn" $ | fromJsonArray))) }}
{{ include "milvus-loadgen.line" (dict "key" $key "value" $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* For `helm test`: its own small data, a few seconds. */}}
{{- define "milvus-loadgen.testConfig" -}}
{{ include "milvus-loadgen.connection" . }}
{{- with .Values.loadgen.database }}
database = "{{ . }}"
{{- end }}
collection = "loadgen_helm_test"
rows = "500"
dim = "32"
clusters = "8"
queries = "100"
mode = "compare"
concurrency = "2"
rounds = "1"
phase-seconds = "2"
warmup-seconds = "0.5"
metrics-port = "off"
record = ""
max-failures = "0"
require = ["search sync throughput > 0", "search async throughput > 0"]
{{- end }}
