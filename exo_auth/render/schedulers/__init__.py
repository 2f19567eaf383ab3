"""A job as the files of a scheduler; one module for each (render, pure)."""
