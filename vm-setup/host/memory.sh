# shellcheck shell=bash
# How much of the machine's memory MySQL gets; sourced. All in MiB.
#
# Three tenths for the buffer pool, as the application, Prometheus and the system share the machine.
# Measured with performance_schema on: about 350 beside the pool when idle; a connection takes up to 4.
_beside_pool=350
_connections=$((100 * 4))      # max_connections in compose/mysql/my.cnf
_others=1500                   # what the containers and the system need beside MySQL

machine_memory() { awk '$1 == "MemTotal:" {print int($2 / 1024)}' "${1:-/proc/meminfo}"; }

buffer_pool() {
  local pool
  pool=$(($(machine_memory "$@") * 3 / 10 / 128 * 128))
  echo $((pool < 256 ? 256 : pool))
}

memory_max() { echo $(($(buffer_pool "$@") + _beside_pool + _connections)); }

# enough_memory: whether all of it fits.
enough_memory() { (($(memory_max "$@") + _others <= $(machine_memory "$@"))); }
