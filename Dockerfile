# The operator's image: one static binary on nothing. No shell, no libc, no packages that age.
#
#   RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --target x86_64-unknown-linux-gnu
#   docker build --tag registry.example.com/microservice-operator:0.1.0 --file Dockerfile target/x86_64-unknown-linux-gnu/release
#
# The build context is any folder that holds the binary. It is not built in here: cargo keeps outside what it has
# compiled, and the binary must be static anyway, since nothing in the image could load libraries for it.
FROM scratch
LABEL org.opencontainers.image.title="microservice-operator" \
      org.opencontainers.image.description="One Microservice manifest becomes a production-grade service on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY microservice-operator /microservice-operator
# A number, because a kubelet cannot tell from a name that the user is not root.
USER 65532:65532
# Metrics, health.
EXPOSE 8080 8081
ENTRYPOINT ["/microservice-operator"]
CMD ["run"]
