"""A real Docker Swarm on this machine: nodes that are containers, MySQL and a balancer outside."""
