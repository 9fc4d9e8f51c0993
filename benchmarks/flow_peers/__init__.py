"""One file a library: the families of flows that it can build, as modules whose call is the log-density."""
