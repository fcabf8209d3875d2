"""From state to plan to charging profiles."""
