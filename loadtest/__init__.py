"""Load for the clinic's HTTP API: users, shapes and profiles; ``lab/`` runs and reports them."""
