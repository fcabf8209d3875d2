"""OCPP: one vocabulary inside, versions translated at the edge."""
