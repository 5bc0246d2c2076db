"""What goes over the wire of the API, as pydantic models: strict coming in, explicit going out. One module a noun."""
