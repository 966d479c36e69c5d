# shellcheck shell=bash
# Images for the real cluster: built FROM scratch, without a registry, kept as archives by their content.

IMAGES=$CACHE/images

# make_archive NAME:TAG FOLDER DOCKERFILE KEY: prints the path of the archive, building it if need be. buildah's own
# storage is a throw-away folder, and it runs in the node's namespaces, so that what else it writes goes with them: what
# is worth keeping is the archive.
make_archive() {
  local image=$1 folder=$2 dockerfile=$3 key archive store
  key=$(printf '%s\n%s' "$image" "$4" | sha256sum)
  archive=${image##*/}
  archive=$IMAGES/${archive/:/-}-${key:0:16}.tar
  if [[ ! -e $archive ]]; then
    mkdir -p "$IMAGES"
    store=$(mktemp -d "$IMAGES/build.XXXXXX")
    local buildah=("${ENTER[@]}" buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs)
    if ! { "${buildah[@]}" bud --isolation chroot --quiet --file "$dockerfile" --tag "localhost/$image" "$folder" &&
      "${buildah[@]}" push --quiet "localhost/$image" "docker-archive:$archive.$$:localhost/$image"; } >"$store/log" 2>&1; then
      cat "$store/log" >&2
      rm -rf "$store" "$archive.$$"
      return 1
    fi
    mv "$archive.$$" "$archive"
    rm -rf "$store"
  fi
  printf '%s' "$archive"
}

folder_key() { # FOLDER DOCKERFILE
  {
    cd "$1"
    find . -type f -printf '%m %p\n' | sort
    find . -type f -print0 | sort -z | xargs -0r sha256sum
    cat "$2"
  } | sha256sum
}

# binary_archive NAME:TAG FILE ARGUMENTS: an image that holds one static program and runs it.
binary_archive() {
  local image=$1 file=$2 arguments=${3:-} name folder
  name=$(basename "$file")
  mkdir -p "$IMAGES"
  folder=$(mktemp -d "$IMAGES/build.XXXXXX")
  cp "$file" "$folder/$name"
  cat >"$folder/Dockerfile" <<DOCKERFILE
FROM scratch
COPY $name /bin/$name
ENTRYPOINT ["/bin/$name"$arguments]
DOCKERFILE
  make_archive "$image" "$folder" "$folder/Dockerfile" "$(stat -c '%s %Y' "$file") $file $arguments"
  rm -rf "$folder"
}

remove_unfinished_images() { rm -rf "$IMAGES"/build.* "$IMAGES"/*.tar.[0-9]*; }

import_archive() { # FILE
  in_containerd images import "$(realpath "$1")"
}

import_system_images() {
  local busybox
  busybox=$(command -v busybox)
  # Nothing but a process to hold the pod's namespaces; it needs no signal handling, for containerd kills it.
  import_archive "$(binary_archive pause:1 "$busybox" ', "sleep", "2147483647"')"
  import_archive "$(binary_archive busybox:1 "$busybox")"
  import_archive "$(binary_archive coredns:1 "$(binary coredns)")"
  import_archive "$(binary_archive metrics-server:1 "$(binary metrics-server)")"
}
