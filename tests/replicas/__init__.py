"""Reads on replicas: what is proven of their data's age, and where reads go."""
