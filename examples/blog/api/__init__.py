"""The REST resources under /api: a module is a resource, its class's methods are the verbs."""
