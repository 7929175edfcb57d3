"""The embedded lab: real and emulated cloud APIs on loopback, for tests, demos and contributors."""
