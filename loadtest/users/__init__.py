"""Who uses the clinic: each file is a locustfile."""
