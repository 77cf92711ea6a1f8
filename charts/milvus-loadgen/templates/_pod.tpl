{{/* The one pod template: {root, role}; role is master, worker or test. */}}

{{- define "milvus-loadgen.roleValues" -}}
{{- $v := .root.Values }}
{{- if eq .role "test" }}
{{- toYaml (dict "resources" $v.test.resources "pod" dict) }}
{{- else }}
{{- toYaml (eq .role "master" | ternary $v.master $v.workers) }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.pod" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $own := include "milvus-loadgen.roleValues" . | fromYaml }}
{{- $pod := mergeOverwrite (deepCopy $root.Values.pod) (default dict $own.pod) }}
{{- range $key, $value := $own.pod }}
{{- if empty $value }}{{ $_ := set $pod $key $value }}{{ end }}
{{- end }}
{{- if include "milvus-loadgen.onOpenShift" $root }}
{{- range $context := list $pod.securityContext $pod.containerSecurityContext }}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" }}
{{- if eq (toString (get (default dict $context) $key)) "65532" }}{{ $_ := unset $context $key }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $context := dict "root" $root "role" $role "pod" $pod "own" $own }}
metadata:
  labels:
    {{- merge (include "milvus-loadgen.labels" (merge (dict "ofPod" true) .) | fromYaml) $pod.labels | toYaml | nindent 4 }}
  annotations:
    checksum/config: {{ include "milvus-loadgen.checksum" $root }}
    {{- $fixed := ternary $root.Values.run.podAnnotations dict (eq $root.Values.mode "job") }}
    {{- with merge (deepCopy $pod.annotations) $fixed $root.Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if or (eq $root.Values.mode "job") (eq $role "test") }}
  restartPolicy: Never
  {{- end }}
  serviceAccountName: {{ include "milvus-loadgen.serviceAccount" $root }}
  automountServiceAccountToken: false
  # Variables that Kubernetes sets for Services called loadgen or locust would be read as settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int64 $pod.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $key := list "nodeSelector" "affinity" "tolerations" "priorityClassName" "runtimeClassName" "hostAliases" "dnsConfig" "securityContext" }}
  {{- with get $pod $key }}
  {{ $key }}: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
  {{- end }}
  {{- if $pod.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml $pod.topologySpreadConstraints | nindent 4 }}
  {{- else if and (eq $role "worker") $root.Values.workers.spread }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "milvus-loadgen.selector" . | nindent 10 }}
  {{- end }}
  {{- $inits := include "milvus-loadgen.initContainers" $context }}
  {{- if trim $inits }}
  initContainers:
    {{- $inits | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ $role }}
      {{- with include "milvus-loadgen.besideSidecar" $root | fromJsonArray }}
      command:
        {{- append . "locust" | toYaml | nindent 8 }}
      {{- end }}
      args:
        {{- include "milvus-loadgen.args" . | nindent 8 }}
      {{- include "milvus-loadgen.container" $context | nindent 6 }}
      {{- include "milvus-loadgen.portsAndProbes" . | nindent 6 }}
  volumes:
    {{- include "milvus-loadgen.volumes" $context | nindent 4 }}
{{- end }}

{{/* A change restarts a Deployment's pods, and makes an upgrade of a Job with the same name fail. The token is not part
of it: guesses could be checked against its hash. */}}
{{- define "milvus-loadgen.checksum" -}}
{{- list (include "milvus-loadgen.config" .) (toYaml .Values.locustfile.inline) | toJson | sha256sum | trunc 40 }}
{{- end }}

{{- define "milvus-loadgen.locustfile" -}}
{{- with .Values.locustfile }}
{{- if and .inline (not .existingConfigMap) (not (hasKey .inline .name)) }}
{{- fail (printf "locustfile.name: %s is not in locustfile.inline: %s" .name (keys .inline | sortAlpha | join ", ")) }}
{{- end }}
{{- if or .existingConfigMap .inline }}/etc/loadgen/locustfiles/{{ .name }}{{ else }}/opt/loadgen/locustfiles/{{ .name }}{{ end }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.configData" -}}
loadgen.conf: |
  {{- include "milvus-loadgen.config" . | nindent 2 }}
{{- end }}

{{- define "milvus-loadgen.testConfigName" -}}
{{ include "milvus-loadgen.configMap" (dict "root" . "content" (include "milvus-loadgen.testConfig" .) "suffix" "test") }}
{{- end }}

{{- define "milvus-loadgen.configName" -}}
{{ include "milvus-loadgen.configMap" (dict "root" . "content" (include "milvus-loadgen.configData" .) "suffix" "config") }}
{{- end }}

{{- define "milvus-loadgen.filesName" -}}
{{ include "milvus-loadgen.configMap" (dict "root" . "content" (toYaml .Values.locustfile.inline) "suffix" "files") }}
{{- end }}

{{/* The start of the command line of a pod whose sidecar has to be waited for and ended; `[]` without one. */}}
{{- define "milvus-loadgen.besideSidecar" -}}
{{- $command := list }}
{{- with .Values.sidecar }}
{{- if or .readyUrl .quitUrl }}
{{- $command = list "loadgen" "beside" }}
{{- if .readyUrl }}{{ $command = concat $command (list "--ready" .readyUrl) }}{{ end }}
{{- if .quitUrl }}{{ $command = concat $command (list "--quit" .quitUrl) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $command }}
{{- end }}

{{/* The command line of `locust`. */}}
{{- define "milvus-loadgen.args" -}}
{{- $v := .root.Values }}
{{- $master := printf "%s-master" (include "milvus-loadgen.base" .root) }}
{{- if eq .role "test" }}
{{- toYaml (list "--locustfile" "/opt/loadgen/locustfiles/search.py" "--config" "/etc/loadgen/config/test.conf" "--headless" "--only-summary") }}
{{- else }}
{{- $args := list "--locustfile" (include "milvus-loadgen.locustfile" .root) "--config" "/etc/loadgen/config/loadgen.conf" }}
{{- if eq .role "worker" }}
{{- $args = concat $args (list "--worker" "--master-host" $master "--master-port" "5557" "--exit-code-on-error" "0") }}
{{- else }}
{{- $args = concat $args (list "--master" "--master-bind-port" "5557") }}
{{- range $key := include "milvus-loadgen.mastersOwn" .root | fromJsonArray }}
{{- $value := get $v.loadgen $key }}
{{- if eq (toString $value) "true" }}
{{- $args = append $args (printf "--%s" $key) }}
{{- else if $value }}
{{- $args = concat $args (list (printf "--%s" $key) (toString $value)) }}
{{- end }}
{{- end }}
{{- if eq $v.mode "job" }}
{{- if $v.record.resume }}
{{- if eq $v.record.volume "emptyDir" }}
{{- fail "record.resume: needs a record that survives the pod: set record.volume to claim or existingClaim" }}
{{- end }}
{{- $args = concat $args (list "--resume" "--record" (printf "/record/%s" (include "milvus-loadgen.base" .root))) }}
{{- end }}
{{- $wait := printf "%d" (int64 $v.master.workersWithinSeconds) }}
{{- $args = concat $args (list "--headless" "--expect-workers" (printf "%v" $v.workers.replicas) "--expect-workers-max-wait" $wait) }}
{{- else }}
{{- if $v.record.resume }}{{ fail "record.resume: is for mode job: on the page people start the runs" }}{{ end }}
{{- /* On every interface: Service and probes reach the pod from outside. */}}
{{- $args = concat $args (list "--web-host" "*" "--web-port" "8089") }}
{{- end }}
{{- end }}
{{- toYaml $args }}
{{- end }}
{{- end }}

{{/* Init containers: extra ones, then the master's preparation, or the worker's wait for it. */}}
{{- define "milvus-loadgen.initContainers" -}}
{{- $v := .root.Values }}
{{- with .pod.initContainers }}
{{- toYaml . }}
{{ end }}
{{- if and (eq .role "master") $v.prepare.enabled }}
- name: prepare
  command: [loadgen, prepare]
  args:
    - --locustfile
    - {{ include "milvus-loadgen.locustfile" .root }}
    - --config
    - /etc/loadgen/config/loadgen.conf
    - --wait
    - {{ $v.milvus.waitSeconds | quote }}
    - --heartbeat
    - "5556"
    {{- if eq (toString $v.loadgen.fresh) "true" }}
    - --fresh
    {{- end }}
  {{- include "milvus-loadgen.container" . | nindent 2 }}
{{- end }}
{{- if eq .role "test" }}
- name: prepare
  command: [loadgen, prepare]
  args: [--locustfile, /opt/loadgen/locustfiles/search.py, --config, /etc/loadgen/config/test.conf, --wait, {{ $v.milvus.waitSeconds | quote }}]
  {{- include "milvus-loadgen.container" . | nindent 2 }}
{{- end }}
{{- if eq .role "worker" }}
- name: wait-for-master
  command: [loadgen, wait]
  args: [{{ include "milvus-loadgen.base" .root }}-master:5557, --seconds, {{ $v.workers.masterWithinSeconds | quote }}, --unnamed-seconds, {{ $v.workers.masterPlacedWithinSeconds | quote }}{{ if $v.prepare.enabled }}, --heartbeat, "5556"{{ end }}{{ if and $v.record.resume (eq $v.mode "job") }}, --returns{{ end }}]
  {{- include "milvus-loadgen.container" . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Shared by all containers of a pod. */}}
{{- define "milvus-loadgen.container" -}}
image: {{ include "milvus-loadgen.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .pod.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $token := include "milvus-loadgen.tokenSecret" .root }}
{{- $extraEnv := list }}
{{- range .pod.extraEnv }}
{{- $setting := .name | trimPrefix "LOADGEN_" | lower | replace "_" "-" }}
{{- if hasPrefix "LOADGEN_" .name }}
{{- if or (hasKey $.root.Values.loadgen $setting) (has $setting (list "host" "record" "record-url" "resume" "print-record" "metrics-port" "metrics-bind" "metrics-linger" "fresh")) (and $token (eq $setting "token")) }}
{{- fail (printf "pod.extraEnv: %s would override what the chart sets for %s: omit it, or set it in the values" .name $setting) }}
{{- end }}
{{- end }}
{{- if not (and (eq $.role "test") (hasPrefix "LOADGEN_" .name)) }}
{{- $extraEnv = append $extraEnv . }}
{{- end }}
{{- end }}
{{- $secretAddress := include "milvus-loadgen.secretAddress" .root }}
{{- if or $token $extraEnv $secretAddress }}
env:
  {{- if $secretAddress }}
  - name: LOADGEN_HOST
    valueFrom:
      secretKeyRef:
        name: {{ include "milvus-loadgen.base" .root }}-token
        key: host
  {{- end }}
  {{- if $token }}
  - name: LOADGEN_TOKEN
    valueFrom:
      secretKeyRef:
        name: {{ $token }}
        key: {{ .root.Values.milvus.token.existingSecret | empty | ternary "token" .root.Values.milvus.token.key }}
  {{- end }}
  {{- with $extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- $envFrom := .pod.envFrom }}
{{- if and (eq .role "master") .root.Values.record.secret }}
{{- $envFrom = append $envFrom (dict "secretRef" (dict "name" .root.Values.record.secret)) }}
{{- end }}
{{- with $envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/loadgen/config, readOnly: true}
  {{- if or .root.Values.locustfile.existingConfigMap .root.Values.locustfile.inline }}
  - {name: locustfiles, mountPath: /etc/loadgen/locustfiles, readOnly: true}
  {{- end }}
  {{- if .root.Values.milvus.tls.existingSecret }}
  - {name: tls, mountPath: /etc/loadgen/tls, readOnly: true}
  {{- end }}
  {{- if eq .role "master" }}
  - {name: record, mountPath: /record}
  {{- end }}
  - {name: tmp, mountPath: /tmp}
  {{- with .pod.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "milvus-loadgen.portsAndProbes" -}}
{{- $v := .root.Values }}
{{- $ports := list }}
{{- if eq .role "master" }}
{{- $ports = append $ports (dict "name" "tcp-master" "containerPort" 5557 "protocol" "TCP") }}
{{- if eq $v.mode "interactive" }}
{{- $ports = append $ports (dict "name" "http-web" "containerPort" 8089 "protocol" "TCP") }}
{{- end }}
{{- end }}
{{- if and $v.metrics.enabled (ne .role "test") }}
{{- $ports = append $ports (dict "name" "http-metrics" "containerPort" $v.metrics.port "protocol" "TCP") }}
{{- end }}
{{- with $ports }}
ports:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and $v.probes.enabled $ports }}
{{- $port := (first $ports).name }}
{{- $probe := dict "tcpSocket" (dict "port" $port) "periodSeconds" $v.probes.periodSeconds "timeoutSeconds" $v.probes.timeoutSeconds "failureThreshold" $v.probes.failureThreshold }}
{{- /* Until the process listens: importing the program takes seconds, longer if many pods start on one node. */}}
startupProbe:
  {{- toYaml (merge (dict "periodSeconds" 2 "failureThreshold" 150) $probe) | nindent 2 }}
livenessProbe:
  {{- toYaml $probe | nindent 2 }}
readinessProbe:
  {{- $ready := and (eq .role "master") (eq $v.mode "interactive") | ternary "http-web" $port }}
  {{- toYaml (merge (dict "tcpSocket" (dict "port" $ready) "periodSeconds" 5 "failureThreshold" 3) $probe) | nindent 2 }}
{{- end }}
{{- end }}

{{- define "milvus-loadgen.volumes" -}}
{{- $v := .root.Values }}
- name: config
  configMap:
    name: {{ include (eq .role "test" | ternary "milvus-loadgen.testConfigName" "milvus-loadgen.configName") .root }}
{{- if or $v.locustfile.existingConfigMap $v.locustfile.inline }}
- name: locustfiles
  configMap:
    name: {{ default (include "milvus-loadgen.filesName" .root) $v.locustfile.existingConfigMap }}
{{- end }}
{{- with $v.milvus.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- if eq .role "master" }}
- name: record
  {{- if eq $v.record.volume "emptyDir" }}
  emptyDir: {}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ include "milvus-loadgen.claim" .root }}
  {{- end }}
{{- end }}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: {{ .pod.tmpSizeLimit }}
{{- with .pod.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
