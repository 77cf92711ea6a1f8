#!/usr/bin/env bash
# Disturbed runs with real pods: kind create cluster --config k8s/kind/cluster.yaml && k8s/kind/e2e.sh
# Needs docker, kind, kubectl, helm, and `loadgen` of this repository (LOADGEN=.venv/bin/loadgen). Takes half an hour. Names of
# tests as arguments run only these; CLUSTER names the cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."

CLUSTER=${CLUSTER:-load}
LOADGEN=${LOADGEN:-loadgen}
NAMESPACE=e2e
IMAGE=milvus-loadgen:e2e
SMALL=(--set image.tag=e2e --set image.pullPolicy=Never --set master.resources.requests.cpu=100m
  --set workers.resources.requests.cpu=100m --set workers.masterPlacedWithinSeconds=60 --set metrics.lingerSeconds=0
  --set loadgen.rows=1000 --set loadgen.dim=32 --set 'loadgen.concurrency={4}' --set loadgen.rounds=1
  --set loadgen.phase-seconds=10 --set loadgen.warmup-seconds=1)

say() { printf '\n=== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
k() { kubectl --namespace "$NAMESPACE" "$@"; }

# install RELEASE [flags of helm]
install() {
  local release=$1
  shift
  helm upgrade --install "$release" charts/milvus-loadgen --namespace "$NAMESPACE" "${SMALL[@]}" \
    --set milvus.uri=http://milvus:19530 "$@" > /dev/null
}

# follow RELEASE CODE: the run ends with this code; `not 0` is any other one
follow() {
  local code=0
  "$LOADGEN" follow "$1" --namespace "$NAMESPACE" > "/tmp/e2e-$1.log" || code=$?
  [[ $code == "$2" || ($2 == "not 0" && $code != 0) ]] || { tail -n 40 "/tmp/e2e-$1.log"; fail "$1: exit code $code instead of $2"; }
}

job_of() { k get job -l "app.kubernetes.io/instance=$1,app.kubernetes.io/component=$2" -o name | tail -n 1; }
pod_of() { k get pod -l "app.kubernetes.io/instance=$1,app.kubernetes.io/component=$2" -o name | head -n 1; }

# await SECONDS COMMAND...: until it succeeds
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || fail "not within its time: $*"
    sleep 1
  done
}

ended_as() { k get "$(job_of "$1" "$2")" -o "jsonpath={.status.conditions[?(@.status=='True')].type}" | grep -qw "$3"; }
logged() { k logs "$(job_of "$1" master)" --container master | grep -q "$2"; }
phases_of() { rm -rf /tmp/e2e-record && mkdir /tmp/e2e-record && "$LOADGEN" fetch "$1" -n "$NAMESPACE" --output /tmp/e2e-record > /dev/null
  python3 -c 'import glob, json; print(len(json.load(open(glob.glob("/tmp/e2e-record/*.json")[0]))["phases"]))'; }
has_all_phases() { [[ $(phases_of "$1") == 4 ]] || fail "$1: $(phases_of "$1") of 4 phases"; }

test_calm() {
  install calm
  follow calm 0
  has_all_phases calm
  local job
  job=$(job_of calm master)
  install calm # the same run
  [[ $(job_of calm master) == "$job" ]] || fail "the same values started another run"
}

# Point 1: a worker that is deleted or killed is replaced.
test_worker_deleted() {
  local flags again=0
  for flags in "--wait=false" "--force --grace-period=0"; do
    install lost --set "run.again=$((++again))"
    await 300 logged lost "Phase 2 of 4"
    # shellcheck disable=SC2086 # several flags
    k delete "$(pod_of lost worker)" $flags
    follow lost 0
    has_all_phases lost
  done
}

# Point 2: without a replacement the plan is incomplete, and the run fails.
test_worker_not_replaced() {
  install alone --set workers.replicas=1 --set workers.replacements=0 --set loadgen.worker-grace=20
  await 300 logged alone "Phase 2 of 4"
  k delete "$(pod_of alone worker)" --wait=false
  follow alone 1
  await 180 ended_as alone worker Failed
}

# Point 3: a worker joins during a run.
test_worker_joins() {
  install joined
  await 300 logged joined "Phase 1 of 4"
  k patch "$(job_of joined worker)" --type merge --patch '{"spec": {"parallelism": 3}}'
  follow joined 0
  has_all_phases joined
}

# Point 4: the workers of a master that has ended do not wait for it.
test_prepare_failed() {
  install refused --set milvus.uri=http://nowhere:19530 --set milvus.waitSeconds=5
  follow refused 2
  await 120 ended_as refused worker Failed
}

test_master_killed() {
  install killed
  await 300 logged killed "Phase 1 of 4"
  k delete "$(pod_of killed master)" --force --grace-period=0
  follow killed "not 0"
  await 600 ended_as killed worker Failed
}

# Point 6: another master continues the run, and its record is in the claim.
test_master_resumed() {
  install resumed --set record.volume=claim --set record.resume=true
  await 300 logged resumed "Phase 3 of 4"
  k delete "$(pod_of resumed master)" --wait=false
  follow resumed 0
  has_all_phases resumed
  grep -q "is continued with phase 3" /tmp/e2e-resumed.log || fail "resumed: it began anew"
}

# Point 5: the preparation moves to another node.
test_master_drained() {
  k create service clusterip late --tcp=19530:19530 > /dev/null
  install drained --set milvus.uri=http://late:19530
  await 120 k logs "$(job_of drained master)" --container prepare
  local node
  node=$(k get "$(pod_of drained master)" -o jsonpath='{.spec.nodeName}')
  kubectl drain "$node" --pod-selector="app.kubernetes.io/instance=drained" --ignore-daemonsets --delete-emptydir-data --timeout=120s
  k patch service late --type merge --patch '{"spec": {"selector": {"app": "milvus"}}}'
  follow drained 0
  kubectl uncordon "$node"
}

# Point 8: no node has room for the workers.
test_unschedulable() {
  install huge --set workers.resources.requests.cpu=1000 --set master.workersWithinSeconds=20 \
    --set workers.activeDeadlineSeconds=90
  follow huge 2
  await 120 ended_as huge worker Failed
}

# Point 8: an upgrade that is refused changes nothing.
test_refused_upgrade() {
  install named --set run.name=fixed
  await 300 logged named "Phase 1 of 4"
  if install named --set run.name=fixed --set loadgen.rows=2000 2> /dev/null; then fail "a Job was changed"; fi
  follow named 0
  k logs "$(job_of named master)" --container master | grep -qE '"rows": "?1000\b' || fail "it ran with the refused config"
}

# Point 8: nothing of `helm test` stays.
test_helm_test() {
  install tested
  helm test tested --namespace "$NAMESPACE" > /dev/null
  helm uninstall tested --namespace "$NAMESPACE" --wait > /dev/null
  await 120 bash -c "[[ -z \$(kubectl -n $NAMESPACE get pod,job,configmap -l app.kubernetes.io/instance=tested -o name) ]]"
}

setup() {
  docker build --quiet --tag "$IMAGE" . > /dev/null
  kind load docker-image "$IMAGE" --name "$CLUSTER"
  kubectl create namespace "$NAMESPACE" --dry-run=client --output yaml | kubectl apply --filename - > /dev/null
  k apply --filename k8s/kind/milvus.yaml > /dev/null
  k rollout status deployment/milvus --timeout=10m
}

main() {
  local tests=("$@") name
  ((${#tests[@]})) || mapfile -t tests < <(declare -F | sed -n 's/^declare -f test_//p')
  setup
  for name in "${tests[@]}"; do
    say "$name"
    "test_$name"
    helm list --namespace "$NAMESPACE" --short | xargs --no-run-if-empty --max-args=1 helm uninstall --namespace "$NAMESPACE" > /dev/null
  done
  say "all ${#tests[@]} passed"
}

main "$@"
