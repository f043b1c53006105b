"""A Spark cluster and the PySpark kernel on it."""
