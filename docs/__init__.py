"""The pages, and what writes one of them: `write_configuration` writes configuration.md."""
