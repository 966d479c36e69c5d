# shellcheck shell=bash
# The programs of the system that the real cluster needs: found by their commands, so that a containerd of any origin
# will do, and installed from Debian's or Ubuntu's packages where missing.

# command=package
NEEDED=(containerd=containerd runc=runc /usr/lib/cni/loopback=containernetworking-plugins iptables=iptables nft=nftables
  conntrack=conntrack ip=iproute2 buildah=buildah busybox=busybox-static openssl=openssl
  "/usr/lib/llvm-$LLVM_VERSION/bin/clang=clang-$LLVM_VERSION" "/usr/lib/llvm-$LLVM_VERSION/bin/llc=llvm-$LLVM_VERSION")

missing_packages() {
  local pair
  for pair in "${NEEDED[@]}"; do
    # `command -v` finds a file by its path as well
    command -v "${pair%%=*}" >/dev/null || printf '%s\n' "${pair#*=}"
  done
}

install_packages() {
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [[ -n $missing ]] || return 0
  command -v apt-get >/dev/null ||
    die "these are missing, and there is no apt-get to install them by: $missing" \
      "Install them (they are names of Debian's packages) and start again."
  say "Installing Debian packages, which stay installed: $missing"
  local from log=$CACHE/logs/packages.log
  from=$(now_ms)
  mkdir -p "$CACHE/logs"
  # shellcheck disable=SC2086 # one word for each package
  if ! { apt-get update &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 15 "$log" | sed 's/^/    | /' >&2
    die "the packages could not be installed. The whole log: $log"
  fi
  say "Installed in $(seconds_since "$from") s."
}
