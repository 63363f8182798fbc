"""Pronoia: a memory server for AI agents that learns which memory is needed next."""
