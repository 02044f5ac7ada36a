"""Records: what Postgres keeps, and every SELECT and INSERT there is."""
