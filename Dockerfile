# With .git in the build's context, Go stamps the version and commit into the binary: "go version -m taskapi" tells them,
# and so does the metric go_build_info.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY models/database/nocgo models/database/nocgo
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /taskapi . && mkdir /data

# Nothing but the binary, and the certificates that it checks PostgreSQL's and the issuer's by: no shell, no packages to
# patch, and no time zones, as all times are UTC. A distroless base would add a second vendor and nothing that is used.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /taskapi /taskapi
# SQLite's file is here unless DATABASE_URL leads elsewhere; on a volume, so that it outlives the container.
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
VOLUME /data
USER 65532:65532
ENV ENVIRONMENT=production
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/taskapi", "health"]
ENTRYPOINT ["/taskapi"]
