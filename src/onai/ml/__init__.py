"""`onai.ml`: the model library that ships beside the command line, and the payload it carries to a cluster.

It exists apart from `onaiml_cli` so that an executor or a training container needs nothing but NumPy, PyArrow and
pydantic. Nothing is imported here: a job that only normalises text does not pay for the classifier.
"""
