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

{{/* A hash of what the run does: its pods and its config, whatever the revision of the release. So tools that render with
revision 1 each time, such as Argo CD, start a run if and only if it would be another one. Secrets are not part of it. */}}
{{- define "milvus-loadgen.run" -}}
{{- if or .Values.run.name (ne .Values.mode "job") }}
{{- .Values.run.name }}
{{- else }}
{{- if not (hasKey .Values "runHash") }}{{/* rendered once */}}
{{- $values := deepCopy .Values }}
{{- $_ := set $values.run "name" "x" }}
{{- $_ := set $values.milvus "uri" (include "milvus-loadgen.address" .) }}
{{- if $values.milvus.token.value }}{{ $_ := set $values.milvus.token "value" "x" }}{{ end }}
{{- $root := dict "Values" $values "Release" .Release "Chart" .Chart "Capabilities" .Capabilities "Template" .Template "Files" .Files }}
{{- $pods := list (include "milvus-loadgen.pod" (dict "root" $root "role" "master")) (include "milvus-loadgen.pod" (dict "root" $root "role" "worker")) }}
{{- $_ := set .Values "runHash" (list $pods .Values.run.again | toJson | sha256sum | trunc 8) }}
{{- end }}
{{- .Values.runHash }}
{{- end }}
{{- end }}

{{/* Name of a ConfigMap by its content: {root, content, suffix}. A change makes another one and leaves this one to its run, so
that an upgrade that is refused changes nothing. */}}
{{- define "milvus-loadgen.configMap" -}}
{{ include "milvus-loadgen.fullname" .root }}-{{ sha256sum .content | trunc 10 }}-{{ .suffix }}
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

{{/* milvus.uri without a user and a password. */}}
{{- define "milvus-loadgen.address" -}}
{{- regexReplaceAll "^([a-z]+://)[^/?#]*@" .Values.milvus.uri "${1}" }}
{{- end }}

{{/* "true" if milvus.uri contains a password, and so goes into the Secret; the program separates the two. */}}
{{- define "milvus-loadgen.secretAddress" -}}
{{- if contains "@" .Values.milvus.uri }}
{{- if not (regexMatch "^(https?|tcp)://[^/?#@\\s\"]+@[^/?#@\\s\"]+(/[^@\"]*)?$" .Values.milvus.uri) }}
{{- fail "milvus.uri: contains an @ in the wrong place: write http://user:password@my-milvus:19530 with / ? # @ in a password percent-encoded, or set milvus.token" }}
{{- end }}
{{- if or .Values.milvus.token.value .Values.milvus.token.existingSecret }}
{{- fail "milvus.uri: contains a user or password, and milvus.token is set too: give one of them" }}
{{- end }}true
{{- end }}
{{- end }}

{{/* "true" on OpenShift, which assigns UID, GID and fsGroup itself; otherwise empty. */}}
{{- define "milvus-loadgen.onOpenShift" -}}
{{- if or (eq .Values.platform "openshift") (and (eq .Values.platform "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}true{{ end }}
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

{{/* Pods do not name the chart's version: another chart that does the same starts no other run. */}}
{{- define "milvus-loadgen.labels" -}}
{{- $own := include "milvus-loadgen.selector" . | fromYaml }}
{{- if not .ofPod }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- end }}
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
