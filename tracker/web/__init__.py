"""HTTP: the door for events, the back office's API, its documentation. Handlers parse, call one use case, and render."""
