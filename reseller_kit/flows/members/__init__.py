"""Use cases of members: of a reseller's team in its console, and of the operator on the platform's own hosts.

A member belongs to one tenant (the operator's to the tenant `platform`); the same address in two teams is two members.
What customers and members have in common (passwords, throttles, codes) is `flows.identity`'s.
"""
