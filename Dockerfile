# Canteen in a static binary on an empty image: non-root, and content with a
# read-only root as long as /data can be written.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The flags are those of `make build`.
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /canteen ./cmd/canteen \
    && mkdir /data

FROM scratch
# Certificates, to reach Slack and Microsoft over HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /canteen /canteen
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
WORKDIR /data
# Inside a container the listener has to be reachable from outside it. The chat
# and desk pages answer 404 there; the platforms' paths, health and metrics stay.
ENV LISTEN_ADDR=0.0.0.0:8080 DATABASE_URL=/data/canteen.db
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/canteen"]
CMD ["serve"]
