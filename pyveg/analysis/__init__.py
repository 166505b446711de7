"""After the pipeline: results in; tables and figures out."""
