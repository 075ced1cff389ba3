"""The domain: clinicians offer slots, patients book appointments. No HTTP here."""
