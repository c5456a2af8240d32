"""PostgreSQL as we use it: roles, row-level security, and an engine that says who looks.

What is walled and why: docs/security.md.
"""
