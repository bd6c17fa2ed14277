"""The server: one process (or several, on PostgreSQL) that takes the record's writes in and answers questions over HTTP."""
