# shellcheck shell=bash
# What `build`, `sim` and `real` share: messages, paths, locks, and processes that can be found again.
# To be sourced by a script that has set `set -euo pipefail`.

CLUSTERS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
source "$CLUSTERS_DIR/versions.env"

# Everything that is made lies here, outside the checkout, so that `git clean` and branch changes do not
# cost ten minutes of compiling. The XDG variable is honoured as everywhere.
CACHE=${MICROSERVICE_OPERATOR_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/microservice-operator}

exec 3>&1 # messages go to the caller even where a step's own output goes to a log

say() { printf '%s\n' "$*" >&3; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

now_ms() { printf '%s' "$((${EPOCHREALTIME/[.,]/} / 1000))"; }
seconds_since() { # MILLISECONDS: the time since then, as 1.2
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# step LABEL COMMAND...: one line of progress with its time; the command's output goes to $STEP_LOG. The command runs
# without `if` or `||` around it, since those would switch `set -e` off within it; report_failed_step speaks for it.
CURRENT_STEP=
step() {
  CURRENT_STEP=$1
  shift
  local from
  from=$(now_ms)
  printf '  %-38s' "$CURRENT_STEP" >&3
  printf '\n--- %s\n' "$CURRENT_STEP" >>"$STEP_LOG"
  "$@" >>"$STEP_LOG" 2>&1
  printf '%7s s\n' "$(seconds_since "$from")" >&3
  CURRENT_STEP=
}
report_failed_step() {
  [[ -n $CURRENT_STEP ]] || return 0
  printf ' failed\n' >&3
  { tail -n 15 "$STEP_LOG" 2>/dev/null || true; } | sed 's/^/    | /' >&3
  say "  The whole log: $STEP_LOG"
}

# Clusters are started and stopped one at a time. The lock is on the directory that holds them, so that no lock file
# remains; the kernel lets go of it when its holder dies, however it dies.
lock_clusters() {
  mkdir -p "$CACHE/clusters"
  exec 9<"$CACHE/clusters"
  flock -n 9 && return
  say "Another cluster is being started or stopped; waiting for it."
  flock 9
}

# ---- processes ----------------------------------------------------------------------------------------------------
# Every process of a cluster carries two environment variables, and is found by them in /proc. Files of process ids
# were rejected: they are missing after a kill between fork and write, and name a stranger after a restart.

# start NAME COMMAND...: runs COMMAND in the background, as component NAME of the cluster in $STATE, entering by
# "${ENTER[@]}", which is empty for the simulated cluster. All inherited files are closed: a pipe that a caller reads,
# or the lock, must not stay open for as long as the cluster lives.
start() {
  local name=$1
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2 || fd == 255)) || eval "exec $fd>&-"
    done
    exec env "MICROSERVICE_OPERATOR_CLUSTER=$STATE" "MICROSERVICE_OPERATOR_COMPONENT=$name" \
      setsid "${ENTER[@]}" "$@"
  ) </dev/null >>"$STATE/logs/$name.log" 2>&1 &
  # Until `exec` has happened the process cannot be found; who asks next must see it.
  until running "$name" || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
}

cluster_pids() { # all processes of the cluster in $STATE
  { grep -lzxsF -- "MICROSERVICE_OPERATOR_CLUSTER=$STATE" /proc/[0-9]*/environ || true; } | cut -d/ -f3
}
# component_pid NAME: its process id, or nothing. What led into the namespaces does not count, nor do containerd's
# children.
component_pid() {
  local pid
  for pid in $(cluster_pids); do
    grep -qzxsF -- "MICROSERVICE_OPERATOR_COMPONENT=$1" "/proc/$pid/environ" || continue
    case $(readlink "/proc/$pid/exe") in
      */nsenter | */unshare | */setsid | */env | */sleep | */containerd-shim* | */runc) continue ;;
    esac
    printf '%s' "$pid"
    return
  done
}
running() { [[ -n $(component_pid "$1") ]]; }

# SIGKILL at once: what these processes hold is thrown away with the cluster, and asking them nicely takes seconds.
kill_cluster_processes() {
  local pids _
  for _ in {1..100}; do
    pids=$(cluster_pids)
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086 # one word for each process
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
  die "these processes do not end: $(tr '\n' ' ' <<<"$pids")" "Look at them with: ps -fp PID"
}

# wait_until SECONDS WHAT COMMAND...: asks five times a second. A command that ends with 2 says that waiting is useless.
wait_until() {
  local deadline=$(($(now_ms) + $1 * 1000)) what=$2 result said
  shift 2
  while true; do
    result=0
    said=$("$@" 2>&1) || result=$?
    ((result)) || return 0
    ((result != 2 && $(now_ms) < deadline)) || break
    sleep 0.2
  done
  echo "$said"
  echo "gave up waiting for $what"
  return 1
}

port_is_open() { (exec 4<>"/dev/tcp/$1/$2") 2>/dev/null; } # HOST PORT
