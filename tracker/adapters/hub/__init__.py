"""Asking the holders over HTTP: discovery, signing keys, access tokens, consents.

`holders.Holders` is what the composition root builds; everything else here serves it.

Each provider has a session of its own (its transport certificate, its kept-alive connections) and tokens of its own.
The discovery document and the signing keys belong to an issuer, so providers with the same issuer share them.
"""
