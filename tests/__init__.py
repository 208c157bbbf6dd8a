"""Tests of the product. This file is here because paddle-python-sdk installs a package of the same name.

Without it Python would take that one for ours wherever pytest does not do the importing.
"""
