"""The back office's API, `/v1`."""
