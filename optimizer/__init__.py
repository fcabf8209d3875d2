"""Synchronous and pure: a problem in, a checked plan out."""
