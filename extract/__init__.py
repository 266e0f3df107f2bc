"""One module a source: each knows one wire and yields pages of records as received."""
