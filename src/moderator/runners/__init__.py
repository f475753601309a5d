"""Where pictures are decoded and embedded: on this machine, or on a cluster."""
