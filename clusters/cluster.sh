# shellcheck shell=bash
# What both clusters do alike: find out in which state they are, say it, and use a cluster that the user has instead.
# The caller sets CLUSTER_NAME, STATE, KIND ("simulated" or "real"), COMMAND (what a user types), COMPONENTS (what has to
# run), PROGRAMS and SETTINGS_FILES (what they are made from), and defines `remove`.

# What the running processes were started from. Other versions or other settings, and `up` replaces the cluster.
fingerprint() {
  local name
  {
    for name in "${PROGRAMS[@]}"; do binary "$name"; done
    cd "$CLUSTERS_DIR" && cat control-plane.sh stages.yaml config/{audit-policy,usage}.yaml "${SETTINGS_FILES[@]}"
  } | sha256sum
}
mark_complete() {
  fingerprint >"$STATE/complete.new"
  mv "$STATE/complete.new" "$STATE/complete"
}

is_complete() { [[ -e $STATE/complete && $(<"$STATE/complete") == "$(fingerprint)" ]]; }

# Complete, from what is wanted now, and all of it alive. Asked without the lock: who only wants to know that the cluster
# is there need not wait until another one has started.
is_up() {
  local name
  is_complete || return 1
  for name in "${COMPONENTS[@]}"; do running "$name" || return 1; done
  kubectl_admin get --raw /readyz >/dev/null 2>&1
}

# Removes what cannot be continued from. What then has a $STATE/complete was whole once and is to be started again.
clear_the_ground() {
  if [[ -e $STATE/given ]]; then
    rm -rf "$STATE"
  elif [[ -e $STATE/complete ]] && ! is_complete; then
    say "\"$CLUSTER_NAME\" runs other versions or settings: replacing it."
    remove
  elif [[ ! -e $STATE/complete && (-d $STATE || -n $(cluster_pids)) ]]; then
    say "\"$CLUSTER_NAME\" is half made, its start was cut short: replacing it."
    remove
  fi
}

announce_start() {
  mkdir -p "$STATE/logs"
  if [[ -e $STATE/complete ]]; then
    say "Starting what has stopped of the $KIND cluster \"$CLUSTER_NAME\""
  else
    say "Starting the $KIND cluster \"$CLUSTER_NAME\" (Kubernetes $KUBERNETES_VERSION)"
  fi
}

print_use() {
  say ""
  say "  export KUBECONFIG=$STATE/kubeconfig"
}

status() {
  local name pid bad=0
  if [[ -e $STATE/given ]]; then
    say "\"$CLUSTER_NAME\" is your cluster of context \"$(<"$STATE/given")\", kubeconfig $STATE/kubeconfig"
    return
  fi
  [[ -d $STATE ]] || { say "There is no $KIND cluster \"$CLUSTER_NAME\". Start it: $COMMAND up" && return 1; }
  [[ -e $STATE/complete ]] || { say "\"$CLUSTER_NAME\" is half made. Replace it: $COMMAND up" && return 1; }
  say "The $KIND cluster \"$CLUSTER_NAME\", Kubernetes $KUBERNETES_VERSION"
  for name in "${COMPONENTS[@]}"; do
    pid=$(component_pid "$name")
    if [[ -n $pid ]]; then
      printf '  %-26s process %-8s %5.0f MiB\n' "$name" "$pid" "$(awk '/^VmRSS/ {print $2 / 1024}' "/proc/$pid/status")"
    else
      printf '  %-26s not running; see %s\n' "$name" "$STATE/logs/$name.log"
      bad=1
    fi
  done
  say "  kubeconfig  $STATE/kubeconfig"
  say "  audit log   $STATE/logs/audit.log"
  say "  logs        $STATE/logs"
  ((bad)) || kubectl_admin get nodes --no-headers 2>/dev/null |
    awk '{n[$2]++} END {for (s in n) print "  nodes       " n[s], s}' || bad=1
  ((!bad)) || say "Start what has stopped: $COMMAND up"
  return "$bad"
}

require_cluster() {
  [[ -e $STATE/complete || -e $STATE/given ]] ||
    die "there is no $KIND cluster \"$CLUSTER_NAME\"." "Start it: $COMMAND up"
}
print_audit_log() {
  require_cluster
  [[ ! -e $STATE/given ]] || die "the cluster you gave keeps its own audit log."
  printf '%s\n' "$STATE/logs/audit.log"
}
print_pid() { # COMPONENT
  local pid
  require_cluster
  pid=$(component_pid "${1:?which component? See $COMMAND status}")
  [[ -n $pid ]] || die "$1 does not run in \"$CLUSTER_NAME\"."
  printf '%s\n' "$pid"
}
set_environment() { # for `exec`
  require_cluster
  local folder
  folder=$(dirname "$(binary kubectl)")
  export KUBECONFIG=$STATE/kubeconfig PATH=$folder:$PATH
}

# ---- a cluster that the user has -----------------------------------------------------------------------------------
given_cluster_wanted() { [[ ${MICROSERVICE_OPERATOR_USE_CLUSTER:-} == 1 || -n ${CLUSTER_CONTEXT:-} ]]; }

use_given_cluster() {
  local kubectl version context=${CLUSTER_CONTEXT:-}
  kubectl=$(command -v kubectl || "$CLUSTERS_DIR/build" --path kubectl)
  [[ -n $context ]] || context=$("$kubectl" config current-context 2>/dev/null) ||
    die "MICROSERVICE_OPERATOR_USE_CLUSTER is set, but the kubeconfig names no current context." \
      "Set KUBECONFIG, or CLUSTER_CONTEXT to one of: $("$kubectl" config get-contexts -o name 2>/dev/null | tr '\n' ' ')"
  version=$("$kubectl" --context "$context" get --raw /version --request-timeout 10s |
    sed -n 's/.*"gitVersion": *"\([^"]*\)".*/\1/p') ||
    die "the cluster of context \"$context\" does not answer; kubectl says why above."
  lock_clusters
  [[ ! -e $STATE/complete ]] || die "a $KIND cluster \"$CLUSTER_NAME\" runs here. Stop it first: $COMMAND down"
  mkdir -p "$STATE"
  "$kubectl" config view --raw --minify --flatten --context "$context" >"$STATE/kubeconfig.new"
  chmod 600 "$STATE/kubeconfig.new"
  mv "$STATE/kubeconfig.new" "$STATE/kubeconfig"
  printf '%s\n' "$context" >"$STATE/given"
  say "Using the cluster of context \"$context\" (Kubernetes $version) instead of starting one."
}
stop_using_given_cluster() {
  rm -rf "$STATE"
  say "The cluster you gave is no longer used. It was not changed by this."
}
