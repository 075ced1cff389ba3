#!/usr/bin/env bash
# Passwords and certificates, made on this machine by the stack's own init: each consumer in a container
# has its volume, and MySQL, which is not in one, a folder. Run again, it renews what soon expires.
# shellcheck source=host.sh
source "$(dirname "$0")/host.sh"
begin "secrets" "$@"

made() {
  [[ -s $(secrets_volume)/server_key.pem ]] &&
    openssl x509 -checkend $((90 * 86400)) -noout -in "$(secrets_volume)/server_cert.pem" >/dev/null
}
make_secrets() { run compose run --rm --no-deps -T init >/dev/null; }

ensure "passwords, authority and a certificate good for 90 days" made make_secrets
conclude
