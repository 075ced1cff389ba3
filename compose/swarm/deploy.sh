#!/bin/sh
# Deploy this release on the Swarm: secrets and configs that are new, then the migrations, and when
# those have succeeded the services, one replica after the other. On a manager; docs/scale.md.
#
#   CLINIC_DB_HOST=source.example [CLINIC_DB_REPLICAS=one.example:3306,two.example:3306] \
#     sh compose/swarm/deploy.sh [OPTION...]      options are for `docker stack deploy`
#
# Exit status 1: nothing was changed, or what was changed was taken back; the last lines say why.
set -eu
cd "$(dirname "$0")/../.."

stack=poolsight
label=poolsight.monitoring

fail() {
  echo "deploy: $*" >&2
  exit 1
}

digest() {
  sha256sum "$@" | sha256sum | cut -c 1-12
}

# --- nothing is changed yet
[ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ] ||
  fail "this is no manager of a Swarm. Run it on one, or make one: docker swarm init"
[ -n "${CLINIC_DB_HOST-}" ] ||
  fail "CLINIC_DB_HOST is not set: the name of the MySQL source, as its certificate has it."
[ -n "$(docker node ls --quiet --filter "node.label=$label=true")" ] ||
  fail "no node may keep metrics. Choose one: docker node update --label-add $label=true NODE"

if [ -n "${CLINIC_DB_REPLICAS-}" ]; then
  : "${CLINIC_DB_REPLICA_HOST:=router}" "${CLINIC_DB_REPLICA_PORT:=6447}" "${CLINIC_ROUTERS:=2}"
fi
export CLINIC_DB_REPLICA_HOST="${CLINIC_DB_REPLICA_HOST-}"
export CLINIC_DB_REPLICA_PORT="${CLINIC_DB_REPLICA_PORT:-3306}" CLINIC_ROUTERS="${CLINIC_ROUTERS:-0}"
export CLINIC_DB_READS="${CLINIC_DB_REPLICA_HOST:+$CLINIC_DB_REPLICA_HOST:$CLINIC_DB_REPLICA_PORT}"
export CLINIC_DB_FOLLOWERS="${CLINIC_DB_REPLICAS:-$CLINIC_DB_READS}"    # whom the exporter asks

# --- secrets: init makes them here as for one machine, and each goes to Swarm by a name of its own.
secrets=$(mktemp -d -p /dev/shm)    # memory: they are on no disk
trap 'rm -rf "$secrets"' EXIT
trap 'exit 130' INT TERM
docker compose up --quiet-pull init >/dev/null
docker compose cp init:/volumes - | tar -x -C "$secrets"
SECRETS=$(cd "$secrets/volumes" && digest app/* migrate/* exporter/* grafana/*)
export SECRETS

hand_over() {
  docker secret inspect "poolsight-$1.$SECRETS" >/dev/null 2>&1 ||
    docker secret create "poolsight-$1.$SECRETS" "$secrets/volumes/$2" >/dev/null
}
hand_over ca app/ca.pem
hand_over app_password app/db_password
hand_over secret_key app/secret_key
hand_over migrator_password migrate/db_password
hand_over exporter exporter/exporter.cnf
hand_over grafana grafana/admin_password

NGINX=$(digest compose/nginx/nginx.conf)
CONFIGS=$(digest compose/swarm/prometheus.yml compose/swarm/router.conf compose/swarm/history.yml \
  compose/alert-log/* monitoring/alertmanager/* \
  monitoring/prometheus/rules/* monitoring/grafana/dashboards/* monitoring/grafana/provisioning/*/*)
export NGINX CONFIGS

# --- services are added to what runs: a file's own, on the stack's networks
deploy() {
  file=$1
  shift
  [ "${CLINIC_NETWORKS_ENCRYPTED:-true}" = false ] || set -- --compose-file compose/swarm/encrypted.yml "$@"
  docker stack deploy --compose-file "$file" "$@" "$stack"
}

# --- migrations, each time anew: a job that has run is not run again otherwise
migrated() {
  docker service ps --no-trunc --format '{{.CurrentState}} {{.Error}}' "${stack}_migrate"
}
docker service rm "${stack}_migrate" >/dev/null 2>&1 || true
deploy compose/swarm/migrate.yml --detach "$@"
waiting=0    # seconds: Swarm itself waits for ever for a node that has room, and tells nobody
until state=$(migrated); echo "$state" | grep -qE '^(Complete|Failed|Rejected)'; do
  case $state in Pending*) waiting=$((waiting + 1)) ;; *) waiting=0 ;; esac
  if [ $waiting -gt 60 ]; then
    docker service rm "${stack}_migrate" >/dev/null
    fail "no node takes the migrations: $state. The release before goes on."
  fi
  sleep 1
done
docker service logs --raw "${stack}_migrate" 2>&1
migrated | grep -q '^Complete' || fail "the migrations did not succeed: $(migrated). The release before goes on."

# --- the services
deploy compose/swarm.yml --detach=false --quiet "$@"
for service in $(docker stack services --format '{{.Name}}' "$stack"); do
  state=$(docker service inspect --format '{{if .UpdateStatus}}{{.UpdateStatus.State}}: {{.UpdateStatus.Message}}{{end}}' "$service")
  case $state in rollback* | paused*) fail "$service: $state. See docker service ps $service" ;; esac
done
echo "deploy: done. $(docker service ls --filter "name=${stack}_app" --format '{{.Replicas}} replicas of the application')"
