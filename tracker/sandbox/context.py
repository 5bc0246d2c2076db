"""Typed names of what travels with the application and with a request."""

from aiohttp import web

from tracker.sandbox.hub import Hub

HUB = web.AppKey("HUB", Hub)
CLIENT_ID: web.RequestKey[str] = web.RequestKey("CLIENT_ID", str)
SCOPE: web.RequestKey[str] = web.RequestKey("SCOPE", str)
WRONG_KEY: web.RequestKey[bool] = web.RequestKey("WRONG_KEY", bool)
