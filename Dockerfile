# The pool server as a small image: `docker build -t adit .`
#
#   docker run --rm -p 127.0.0.1:3333:3333 -p 127.0.0.1:8080:8080 adit
#   docker run --rm -p 127.0.0.1:8080:8080 adit demo --http 0.0.0.0:8080
#
# Stratum has no passwords worth the name: publish its port on loopback or on
# the miners' own network, never to the world.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# rust-toolchain.toml stays outside (.dockerignore): the base image is the pin,
# and the file would make rustup fetch rustfmt and clippy for nothing.
COPY . .
# No cache mounts, so that Debian 12's own docker.io (20.10) builds it too.
RUN cargo build --release --locked --bin adit

FROM debian:bookworm-slim
# An own number, so that the owner of a mounted folder can be set outside.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin adit \
    && install -d -o adit -g adit /data
COPY --from=build /src/target/release/adit /usr/local/bin/adit
COPY --from=build /src/LICENSE /src/LICENSE-MIT /src/LICENSE-APACHE /usr/share/doc/adit/
USER adit
WORKDIR /data
VOLUME /data
# Stratum V1; dashboard, API and metrics.
EXPOSE 3333 8080
# bash stands in for curl, which the base image lacks.
HEALTHCHECK --start-period=10s --interval=10s --timeout=3s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["adit"]
CMD ["serve", "--v1", "0.0.0.0:3333", "--http", "0.0.0.0:8080", "--data", "/data"]
