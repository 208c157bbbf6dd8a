"""Use cases of customers on their own accounts: sign up, log in, prove who they are, leave. One module a use case.

A customer belongs to one storefront: the same address on two of them is two customers, and a token or cookie of one
says nothing on another. Nothing here tells by answer, status or time whether an address has an account.
"""
