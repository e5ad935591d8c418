"""Telling people: notices become messages, messages leave through channels."""
