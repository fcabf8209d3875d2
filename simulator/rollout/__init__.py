"""Rollout planning: years of public charging in a minute, with queues, transformers and intervals."""
