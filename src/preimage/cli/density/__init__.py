"""Flows on tables, arrays and pictures of the user: what ``train``, ``sample`` and ``score`` do."""
