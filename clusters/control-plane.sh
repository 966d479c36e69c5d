# shellcheck shell=bash
# The control plane, the same for both clusters: certificates, etcd, API server, controller-manager, scheduler, kwok.
# Plain processes and no kwokctl: it crashes on several `--extra-args` (0.8.0), keeps its own idea of what is running,
# and cannot take up a cluster whose start was cut short.
#
# The caller sets STATE (folder of the cluster), ENTER (command that enters its namespaces, or nothing), API_ADDRESS,
# and the ports API_PORT, ETCD_PORT, ETCD_PEER_PORT, KWOK_PORT.

SERVICE_CIDR=10.96.0.0/16
API_SERVICE_IP=10.96.0.1 # the Service `kubernetes`: always the first address of the range

# ---- certificates ----------------------------------------------------------------------------------------------------
CERTIFICATE_DAYS=3650

new_authority() { # FILE NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$CERTIFICATE_DAYS" -subj "/CN=$2" \
    -addext "keyUsage=critical,keyCertSign,digitalSignature" -keyout "$1.key" -out "$1.crt"
}
new_certificate() { # AUTHORITY FILE SUBJECT [SUBJECT_ALT_NAMES]
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$2.key" -out "$2.csr"
  openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days "$CERTIFICATE_DAYS" -out "$2.crt" -extfile <(
      echo "keyUsage=critical,digitalSignature"
      echo "extendedKeyUsage=serverAuth,clientAuth"
      [[ -z ${4:-} ]] || echo "subjectAltName=$4"
    )
  rm "$2.csr"
}

make_certificates() {
  [[ ! -d $STATE/pki ]] || return 0
  local dir=$STATE/pki.new
  rm -rf "$dir"
  mkdir -p "$dir"
  (
    cd "$dir" || exit
    umask 077
    new_authority ca cluster
    # An authority of its own: with one for both, client certificates would be tried, and refused, as the aggregator's.
    new_authority front-proxy-ca front-proxy
    new_certificate front-proxy-ca front-proxy /CN=front-proxy
    local service=kubernetes.default.svc names="IP:127.0.0.1,IP:$API_ADDRESS,IP:$API_SERVICE_IP,DNS:localhost"
    names+=",DNS:kubernetes,DNS:kubernetes.default,DNS:$service,DNS:$service.cluster.local"
    new_certificate ca apiserver /CN=kube-apiserver "$names"
    new_certificate ca apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet
    new_certificate ca admin /O=system:masters/CN=admin
    new_certificate ca controller-manager /CN=system:kube-controller-manager
    new_certificate ca scheduler /CN=system:kube-scheduler
    # Names of their own, so that the audit log tells their requests from the user's.
    new_certificate ca kwok /O=system:masters/CN=kwok IP:127.0.0.1,IP:"$API_ADDRESS"
    new_certificate ca metrics-server /O=system:masters/CN=metrics-server
    openssl ecparam -name prime256v1 -genkey -noout -out service-account.key
    openssl ec -in service-account.key -pubout -out service-account.pub
  )
  mv "$dir" "$STATE/pki" # whole or not at all
}

write_kubeconfig() { # FILE CERTIFICATE: stands by itself, to be copied anywhere
  cat >"$1.new" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: $CLUSTER_NAME
  cluster:
    server: https://$API_ADDRESS:$API_PORT
    certificate-authority-data: $(base64 -w0 "$STATE/pki/ca.crt")
users:
- name: $2
  user:
    client-certificate-data: $(base64 -w0 "$STATE/pki/$2.crt")
    client-key-data: $(base64 -w0 "$STATE/pki/$2.key")
contexts:
- name: $CLUSTER_NAME
  context: {cluster: $CLUSTER_NAME, user: $2}
current-context: $CLUSTER_NAME
YAML
  chmod 600 "$1.new"
  mv "$1.new" "$1"
}
write_kubeconfigs() {
  local who
  for who in controller-manager scheduler kwok metrics-server; do write_kubeconfig "$STATE/$who.kubeconfig" "$who"; done
  write_kubeconfig "$STATE/kubeconfig" admin
}

kubectl_admin() { "${ENTER[@]}" "$(binary kubectl)" --kubeconfig "$STATE/kubeconfig" "$@"; }

# ---- processes -------------------------------------------------------------------------------------------------------
start_etcd() {
  # No fsync: a power cut may lose the cluster, and a test cluster may be lost. Ten times faster on slow disks.
  running etcd || start etcd "$(binary etcd)" --name node --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
    --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
    --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
    --initial-cluster "node=http://127.0.0.1:$ETCD_PEER_PORT" \
    --quota-backend-bytes 8589934592 --auto-compaction-retention 5m # B; thousands of rollouts must not fill it
}

start_apiserver() { # FLAGS...
  local pki=$STATE/pki
  running kube-apiserver || start kube-apiserver "$(binary kube-apiserver)" \
    --etcd-servers "http://127.0.0.1:$ETCD_PORT" --bind-address "$API_ADDRESS" --secure-port "$API_PORT" \
    --advertise-address "$API_ADDRESS" --service-cluster-ip-range "$SERVICE_CIDR" --allow-privileged \
    --cert-dir "$STATE/apiserver" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --client-ca-file "$pki/ca.crt" --authorization-mode Node,RBAC \
    --kubelet-client-certificate "$pki/apiserver-kubelet.crt" --kubelet-client-key "$pki/apiserver-kubelet.key" \
    --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$pki/service-account.pub" --service-account-signing-key-file "$pki/service-account.key" \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
    --requestheader-client-ca-file "$pki/front-proxy-ca.crt" --requestheader-allowed-names front-proxy \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --audit-policy-file "$CLUSTERS_DIR/config/audit-policy.yaml" --audit-log-path "$STATE/logs/audit.log" \
    --audit-log-maxsize 0 "$@" # 0: never rotated, so that a count covers everything
}

start_controller_manager() { # FLAGS...
  local pki=$STATE/pki
  # The client limits (20 requests a second by default) would hide how fast the operator is. The autoscaler's periods
  # are cut from minutes to seconds so that a test sees it scale up and down again.
  running kube-controller-manager || start kube-controller-manager "$(binary kube-controller-manager)" \
    --kubeconfig "$STATE/controller-manager.kubeconfig" --leader-elect=false --secure-port 0 \
    --use-service-account-credentials --root-ca-file "$pki/ca.crt" \
    --service-account-private-key-file "$pki/service-account.key" --cluster-name "$CLUSTER_NAME" \
    --kube-api-qps 2000 --kube-api-burst 4000 \
    --concurrent-deployment-syncs 20 --concurrent-replicaset-syncs 20 --concurrent-service-endpoint-syncs 20 \
    --concurrent-horizontal-pod-autoscaler-syncs 20 --concurrent-gc-syncs 40 --concurrent-namespace-syncs 20 \
    --concurrent-serviceaccount-token-syncs 10 \
    --horizontal-pod-autoscaler-sync-period 3s --horizontal-pod-autoscaler-downscale-stabilization 10s \
    --horizontal-pod-autoscaler-initial-readiness-delay 5s --horizontal-pod-autoscaler-cpu-initialization-period 10s "$@"
}

start_scheduler() {
  cat >"$STATE/scheduler.yaml" <<YAML
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: $STATE/scheduler.kubeconfig, qps: 2000, burst: 4000}
YAML
  running kube-scheduler ||
    start kube-scheduler "$(binary kube-scheduler)" --config "$STATE/scheduler.yaml" --secure-port 0
}

start_kwok() { # FLAGS...
  cat >"$STATE/kwok.yaml" <<YAML
apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options: {podPlayStageParallelism: 32, nodePlayStageParallelism: 8, nodeLeaseParallelism: 8}
YAML
  # No node leases: by them kwok 0.8.0 decides which instance owns a node, so that a restarted one does nothing for 40 s
  # and then forgets the pods that came meanwhile. Heartbeats are a stage in stages.yaml instead.
  running kwok || start kwok "$(binary kwok)" --kubeconfig "$STATE/kwok.kubeconfig" \
    --config "$STATE/kwok.yaml" --config "$CLUSTERS_DIR/stages.yaml" --config "$CLUSTERS_DIR/config/usage.yaml" \
    --tls-cert-file "$STATE/pki/kwok.crt" --tls-private-key-file "$STATE/pki/kwok.key" \
    --node-ip "$API_ADDRESS" --node-port "$KWOK_PORT" --server-address "$API_ADDRESS:$KWOK_PORT" \
    -v WARN "$@"
}

api_is_ready() {
  local name
  for name in etcd kube-apiserver; do
    running "$name" || { echo "$name ended; its last words:" && tail -n 5 "$STATE/logs/$name.log" && return 2; }
  done
  kubectl_admin get --raw /readyz
}
wait_for_api() { wait_until 60 "the API server" api_is_ready; }
default_account_exists() { kubectl_admin -n default get serviceaccount default; } # the controller-manager's first work
metrics_available() {
  [[ $(kubectl_admin get apiservice v1beta1.metrics.k8s.io \
    -o 'jsonpath={.status.conditions[?(@.type=="Available")].status}') == True ]]
}

# ---- simulated nodes ---------------------------------------------------------------------------------------------
# scale_fake_nodes PREFIX COUNT [TAINTS]: as many as COUNT, and no more. Zones go round a, b, c.
scale_fake_nodes() {
  local prefix=$1 count=$2 taints=${3:-[]} i zones=(a b c)
  local have
  have=$(kubectl_admin get nodes -l type=kwok -o name | wc -l)
  for ((i = count + 1; i <= have; i++)); do kubectl_admin delete node "$prefix-$i" --wait=false; done
  ((have < count)) || return 0
  for ((i = have + 1; i <= count; i++)); do
    cat <<YAML
apiVersion: v1
kind: Node
metadata:
  name: $prefix-$i
  annotations:
    kwok.x-k8s.io/node: fake
    metrics.k8s.io/resource-metrics-path: /metrics/nodes/$prefix-$i/metrics/resource
  labels:
    type: kwok
    kubernetes.io/hostname: $prefix-$i
    kubernetes.io/os: linux
    kubernetes.io/arch: amd64
    topology.kubernetes.io/region: local
    topology.kubernetes.io/zone: local-${zones[(i - 1) % 3]}
spec:
  podCIDR: 10.$((100 + i / 4)).$((i % 4 * 64)).0/18
  podCIDRs: [10.$((100 + i / 4)).$((i % 4 * 64)).0/18]
  taints: $taints
status:
  allocatable: &size {cpu: "64", memory: 256Gi, ephemeral-storage: 1Ti, pods: "1000"}
  capacity: *size
---
YAML
  done | kubectl_admin create -f -
}
fake_nodes_ready() { # COUNT
  [[ $(kubectl_admin get nodes -l type=kwok --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l) == "$1" ]]
}
