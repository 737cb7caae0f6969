"""Warnings about policies that are accepted, and do not do what their author may think."""
