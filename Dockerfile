# The server alone: no shell, no packages, an ordinary user.
#
#   docker build -t parley .
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.0.0 -t parley .
#
# COMMIT is what `parley version` says beside VERSION; GOPROXY names another Go
# module proxy.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
ARG GOPROXY
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=devel COMMIT
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/var/cache/go-build \
    GOCACHE=/var/cache/go-build GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION COMMIT=$COMMIT scripts/build-static.sh /out/parley
RUN mkdir -p /out/data

FROM scratch
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="An instant-messaging server compatible with OpenIM" \
      org.opencontainers.image.licenses="Apache-2.0"
# Webhooks, push and S3 are called by HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/parley /usr/local/bin/parley
COPY --from=build --chown=65532:65532 /out/data /var/lib/parley
COPY LICENSE /usr/share/doc/parley/
# A configuration directory mounted at /openim-server/config, where OpenIM's image
# has it, is read. Logs go to the container's output.
ENV PATH=/usr/local/bin PARLEY_DATADIR=/var/lib/parley IMENV_LOG_ISSTDOUT=true
USER 65532:65532
WORKDIR /var/lib/parley
VOLUME /var/lib/parley
EXPOSE 10001 10002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/parley", "health"]
ENTRYPOINT ["/usr/local/bin/parley"]
CMD ["serve"]
