"""The proof: whole site-days in virtual time, service and stations unchanged, with everything failing."""
