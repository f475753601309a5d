"""Where contents, vectors and results are kept."""
