{{/* Names. Those with a suffix stay within 63 characters: 38 for the release, 17 for the run, 8 for the part. */}}

{{- define "milvus-loadgen.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 38 | trimSuffix "-" }}
{{- end }}

{{/* A release may have dots in its name, a Service may not. A truncated name ends with part of its hash, so that two long releases do not collide. */}}
{{- define "milvus-loadgen.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride }}
{{- $name := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) }}
{{- $name = default $name .Values.fullnameOverride | replace "." "-" | trimSuffix "-" }}
{{- if gt (len $name) 38 }}
{{- printf "%s-%s" (trunc 31 $name | trimSuffix "-") (sha256sum $name | trunc 6) }}
{{- else }}
{{- $name }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.run" -}}
{{- default (printf "r%v" .Release.Revision) .Values.run.name }}
{{- end }}

{{/* Base name of a run's objects; differs from that of the next run. */}}
{{- define "milvus-loadgen.base" -}}
{{- include "milvus-loadgen.fullname" . }}
{{- if eq .Values.mode "job" }}-{{ include "milvus-loadgen.run" . }}{{ end }}
{{- end }}

{{- define "milvus-loadgen.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "milvus-loadgen.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.claim" -}}
{{- if eq .Values.record.volume "existingClaim" }}
{{- required "record.existingClaim: name the claim for record.volume=existingClaim" .Values.record.existingClaim }}
{{- else }}
{{- include "milvus-loadgen.fullname" . }}-record
{{- end }}
{{- end }}

{{- define "milvus-loadgen.tokenSecret" -}}
{{- with .Values.milvus.token }}
{{- if .existingSecret }}
{{- .existingSecret }}
{{- else if .value }}
{{- include "milvus-loadgen.base" $ }}-token
{{- end }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* Labels that select pods of one run, or of all with `allRuns`; `role` is master, worker, test or empty. */}}
{{- define "milvus-loadgen.selector" -}}
app.kubernetes.io/name: {{ include "milvus-loadgen.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- if and (eq .root.Values.mode "job") (not .allRuns) }}
milvus-loadgen/run: {{ include "milvus-loadgen.run" .root | quote }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.labels" -}}
{{- $own := include "milvus-loadgen.selector" . | fromYaml }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- merge $own .root.Values.commonLabels | toYaml }}
{{- end }}

{{/* Metadata of an object: {root, name, role}, with optional labels and annotations. */}}
{{- define "milvus-loadgen.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- merge (include "milvus-loadgen.labels" . | fromYaml) (default dict .labels) | toYaml | nindent 2 }}
{{- with merge (deepCopy (default dict .annotations)) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* "true" if the cluster has the Prometheus operator's API, otherwise empty. */}}
{{- define "milvus-loadgen.monitored" -}}
{{- if or .Values.monitoring.force (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}true{{ end }}
{{- end }}
