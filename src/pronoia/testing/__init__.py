"""Fakes for the tests of those who build on Pronoia."""
