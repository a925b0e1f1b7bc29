# A static binary in an empty image: `./dev dist` first, on a machine with the musl target, then
# docker build -t sesame . && docker run -v sesame:/home -e SESAME_HOME=/home sesame keeper
FROM debian:12-slim AS certificates
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates

FROM scratch
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY target/dist/sesame-x86_64-unknown-linux-musl /sesame
ENV SESAME_HOME=/home
VOLUME /home
ENTRYPOINT ["/sesame"]
