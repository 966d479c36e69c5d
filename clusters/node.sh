# shellcheck shell=bash
# The real node: its namespaces, containerd, kubelet, kube-proxy and Cilium. Sourced by `real`.
#
# Everything runs below one process, the first of a PID namespace of its own, with its own network and mount
# namespaces. When that process ends, the kernel ends all the others, and takes the mounts, the links and the pinned
# eBPF programs with them: nothing has to be found and cleaned up one by one, whatever crashed. What the kernel does not
# take, cgroups and a few empty folders, has fixed names or is written down before it is made.

NODE=node-a
CGROUP=microservice-operator-real # kubelet puts all pods below it
# Documentation addresses (RFC 5737), so that the links can collide with nobody's network.
HOST_LINK=msvc-real HOST_ADDRESS=198.51.100.1 NODE_ADDRESS=198.51.100.2
INTERNET_GATEWAY=203.0.113.1 INTERNET_ADDRESS=203.0.113.10 INTERNET_ADDRESS_2=203.0.113.20
DNS_SERVICE_IP=10.96.0.10
POD_CIDR=10.244.0.0/16

# Folders that kubelet, containerd and buildah insist on. For the node each is another, below $STATE/host.
HOST_FOLDERS=(/var/lib/kubelet /var/lib/cni /var/lib/containers /var/log/pods /var/log/containers /etc/cni
  /opt/containerd)
# Kernel settings that kubelet and Cilium change and that belong to no namespace: a whole machine would panic on the
# first oops because a test cluster ran, and `unprivileged_bpf_disabled` cannot even be set back. The node sees files in
# their place, may write into them, and nothing happens.
HOST_SETTINGS=(vm/overcommit_memory kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes
  kernel/timer_migration kernel/unprivileged_bpf_disabled net/core/bpf_jit_enable net/core/fb_tunnels_only_for_init_net)

# The link, the cgroup and the addresses exist once on a machine, also for somebody with another cache.
refuse_a_second() {
  local pid other
  for pid in $(grep -lzxsF -- MICROSERVICE_OPERATOR_COMPONENT=node /proc/[0-9]*/environ | cut -d/ -f3); do
    other=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^MICROSERVICE_OPERATOR_CLUSTER=//p')
    [[ -z $other || $other == "$STATE" ]] ||
      die "a real cluster runs already, in $other; there can be one on a machine." \
        "Stop it first: MICROSERVICE_OPERATOR_CACHE=${other%/clusters/*} clusters/real down"
  done
}

# ---- namespaces ------------------------------------------------------------------------------------------------------
# The node's first process as the host numbers it: the one that is number 1 in its own namespace.
node_pid() {
  local pid
  for pid in $(cluster_pids); do
    if [[ $(awk '/^NSpid/ {print NF, $NF}' "/proc/$pid/status" 2>/dev/null) == "3 1" ]]; then
      printf '%s' "$pid"
      return
    fi
  done
}
enter_node() { # sets ENTER
  local pid
  pid=$(node_pid)
  [[ -n $pid ]] || return 1
  ENTER=(nsenter --target "$pid" --mount --net --pid --)
}

make_namespaces() {
  if ! enter_node; then
    make_host_folders
    make_cgroups
    ENTER=()
    # Runs as process 1: bash waits for whatever processes are left to it, `sleep` alone would collect the dead.
    start node unshare --mount --net --pid --fork --kill-child=KILL --mount-proc --propagation slave \
      bash -c 'while true; do sleep 3600 & wait $!; done'
    wait_until 5 "the node's namespaces" enter_node
    enter_node
  fi
  mount_private
  make_links
}

mount_private() {
  "${ENTER[@]}" bash -euc '
    [[ ! -e /run/.node-is-mounted ]] || exit 0
    for folder in $2; do mount --bind "$1/host$folder" "$folder"; done
    mkdir -p "$1/settings"
    for setting in $3; do
      [[ -e /proc/sys/$setting ]] || continue
      cat "/proc/sys/$setting" >"$1/settings/${setting//\//.}"
      mount --bind "$1/settings/${setting//\//.}" "/proc/sys/$setting"
    done
    mount -t bpf bpf /sys/fs/bpf             # an instance of its own: what is pinned there goes with it
    mount -t tmpfs -o mode=755 node-run /run # sockets, network namespaces, states
    mkdir -p /run/netns /run/cilium /run/lock
    touch /run/.node-is-mounted
  ' - "$STATE" "${HOST_FOLDERS[*]}" "${HOST_SETTINGS[*]}"
}

# Two links: to the host, so that its kubectl reaches the API server, and to a further namespace that plays the internet.
# The default route leads into the latter: nothing that a pod sends can leave this machine.
make_links() {
  local pid
  pid=$(node_pid)
  if ! ip link show "$HOST_LINK" >/dev/null 2>&1; then
    ip link add "$HOST_LINK" type veth peer name eth0 netns "$pid"
  fi
  ip addr replace "$HOST_ADDRESS/24" dev "$HOST_LINK"
  ip link set "$HOST_LINK" up
  "${ENTER[@]}" bash -euc '
    sysctl -qw net.ipv4.ip_forward=1
    ip link set lo up
    ip addr replace "$1/24" dev eth0
    ip link set eth0 up
    if [[ ! -e /run/netns/internet ]]; then ip netns add internet; fi
    if ! ip link show internet >/dev/null 2>&1; then ip link add internet type veth peer name eth0 netns internet; fi
    ip addr replace "$2/24" dev internet
    ip link set internet up
    ip -n internet link set lo up
    ip -n internet addr replace "$3/24" dev eth0
    ip -n internet addr replace "$4/24" dev eth0
    ip -n internet link set eth0 up
    ip -n internet route replace default via "$2"
    ip route replace default via "$3"
  ' - "$NODE_ADDRESS" "$INTERNET_GATEWAY" "$INTERNET_ADDRESS" "$INTERNET_ADDRESS_2"
}

# ---- what the kernel does not clean up -------------------------------------------------------------------------------
make_host_folders() {
  local folder
  for folder in "${HOST_FOLDERS[@]}"; do
    mkdir -p "$STATE/host$folder"
    [[ -d $folder ]] || { echo "$folder" >>"$STATE/folders" && mkdir -p "$folder"; }
  done
}
remove_host_folders() {
  local folder
  [[ -e $STATE/folders ]] || return 0
  while read -r folder; do rmdir "$folder" 2>/dev/null || true; done <"$STATE/folders"
}

cgroup_roots() { # every controller's mount with version 1, the one mount with version 2
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then echo /sys/fs/cgroup; else
    awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts | sort -u
  fi
}
make_cgroups() {
  local root controller
  for root in $(cgroup_roots); do
    mkdir -p "$root/$CGROUP"
    [[ $root == /sys/fs/cgroup ]] || continue
    for controller in $(<"$root/cgroup.controllers"); do
      echo "+$controller" >"$root/cgroup.subtree_control" || true
    done
  done
  # A new cpuset of version 1 is empty, and takes no process until it is filled.
  root=/sys/fs/cgroup/cpuset
  if [[ -e $root/cpuset.cpus ]]; then
    cat "$root/cpuset.cpus" >"$root/$CGROUP/cpuset.cpus"
    cat "$root/cpuset.mems" >"$root/$CGROUP/cpuset.mems"
  fi
}
remove_cgroups() {
  local root
  for root in $(cgroup_roots); do
    [[ ! -d $root/$CGROUP ]] || find "$root/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
cgroups_are_gone() {
  local root
  remove_cgroups
  for root in $(cgroup_roots); do [[ ! -d $root/$CGROUP ]] || return 1; done
}

# ---- the node's processes ---------------------------------------------------------------------------------------------
start_containerd() {
  # On an overlay, as inside another container, overlayfs cannot be stacked; copying is slower and always works.
  local snapshotter=overlayfs
  [[ $(stat -f -c %T "$STATE") != overlayfs ]] || snapshotter=native
  mkdir -p "$STATE"/cni/{bin,conf}
  ln -sf /usr/lib/cni/loopback "$(binary cilium-cni)" "$STATE/cni/bin/"
  cat >"$STATE/containerd.toml" <<TOML
version = 2
root = "$STATE/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true # without CAP_SYS_RESOURCE, as in many containers, a lower score is refused
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$STATE/cni/bin"
    conf_dir = "$STATE/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
TOML
  running containerd || start containerd containerd --config "$STATE/containerd.toml"
  wait_until 20 "containerd" in_containerd version
}
in_containerd() { "${ENTER[@]}" ctr --namespace k8s.io "$@"; }

make_node_certificates() {
  (
    cd "$STATE/pki" || exit
    umask 077
    [[ -e kubelet.crt ]] || new_certificate ca kubelet "/O=system:nodes/CN=system:node:$NODE"
    [[ -e kube-proxy.crt ]] || new_certificate ca kube-proxy /CN=system:kube-proxy
    [[ -e cilium.crt ]] || new_certificate ca cilium /O=system:masters/CN=cilium
  )
  local who
  for who in kubelet kube-proxy cilium; do write_kubeconfig "$STATE/$who.kubeconfig" "$who"; done
}

start_kubelet() {
  cat >"$STATE/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $STATE/pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false # refused by default since 1.35; many hosts still have it
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [$DNS_SERVICE_IP]
clusterDomain: cluster.local
resolvConf: "" # no query leaves the cluster
enforceNodeAllocatable: []
evictionHard: {memory.available: 100Mi}
imageGCHighThresholdPercent: 100 # images cannot be pulled again
nodeStatusUpdateFrequency: 4s
registryPullQPS: 0
maxPods: 200
YAML
  running kubelet || start kubelet "$(binary kubelet)" --config "$STATE/kubelet.yaml" \
    --kubeconfig "$STATE/kubelet.kubeconfig" --hostname-override "$NODE" --node-ip "$NODE_ADDRESS" \
    --root-dir /var/lib/kubelet --cert-dir "$STATE/kubelet-pki" \
    --node-labels topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local-a
}

start_kube_proxy() {
  cat >"$STATE/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $STATE/kube-proxy.kubeconfig}
clusterCIDR: $POD_CIDR
hostnameOverride: $NODE
conntrack: {maxPerCore: 0} # the table belongs to the whole machine: leave its size alone
YAML
  running kube-proxy || start kube-proxy "$(binary kube-proxy)" --config "$STATE/kube-proxy.yaml"
}

start_cilium() {
  local sources
  sources=$(dirname "$(binary cilium-agent)")
  if ! running cilium-agent; then
    mkdir -p "$STATE"/cilium/{lib,tools}
    rm -rf "$STATE/cilium/lib/bpf"
    cp -r "$sources/bpf" "$STATE/cilium/lib/bpf" # the agent writes headers into it
    ln -sf "/usr/lib/llvm-$LLVM_VERSION/bin/clang" "/usr/lib/llvm-$LLVM_VERSION/bin/llc" "$STATE/cilium/tools/"
    kubectl_admin apply --server-side -f "$sources/crds"
    # Envoy is not part of it, so HTTP rules are not enforced; DNS and FQDN rules are, by the agent's own proxy.
    # kube-proxy does the Services. Pods keep their addresses on every link: nothing is masqueraded. No other node has to
    # learn of a changed identity first, so there is no grace period; a change of labels of a running pod or namespace
    # takes effect within 30 s all the same, at a random moment that cannot be set (ciliumIdentityMaxJitter).
    # Its HOME is there because it leaves a file for every process in ~/.config/gops.
    HOME=$STATE/cilium PATH=$STATE/cilium/tools:$PATH K8S_NODE_NAME=$NODE CILIUM_K8S_NAMESPACE=kube-system \
      start cilium-agent "$(binary cilium-agent)" --k8s-kubeconfig-path "$STATE/cilium.kubeconfig" \
      --identity-allocation-mode crd --ipam kubernetes --routing-mode native --ipv4-native-routing-cidr "$POD_CIDR" \
      --enable-ipv4=true --enable-ipv6=false --enable-endpoint-routes=true --devices eth0,internet \
      --kube-proxy-replacement=false --enable-bpf-masquerade=false --enable-ipv4-masquerade=false \
      --enable-l7-proxy=true --external-envoy-proxy=true --enable-envoy-config=false --enable-hubble=false \
      --enable-health-checking=false --identity-change-grace-period 0s --cni-exclusive=false \
      --lib-dir "$STATE/cilium/lib"
  fi
  # containerd 1.6 knows CNI up to 0.3.1 in this form
  cat >"$STATE/cni/conf/05-cilium.conflist" <<JSON
{"cniVersion": "0.3.1", "name": "cilium", "plugins": [{"type": "cilium-cni", "log-file": "$STATE/logs/cni.log"}]}
JSON
}
