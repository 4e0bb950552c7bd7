"""The pages: a module is a controller, a public method of its class an address."""
